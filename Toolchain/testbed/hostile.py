#!/usr/bin/env python3
"""Four hostile cameras beside two good ones, in a memory cgroup: nothing of the good ones is lost, also in an outage.

usage: hostile.py [--seconds N] [--memory MIB]        CAMGATE names the executable; needs root for the cgroup

The hostile ones (Tests/Fixtures/rtsp) send frames of 60 MB; 15,000 frames a second; another picture size with each
frame; and over UDP, where somebody else adds packets. For the middle third of the time Kafka is away. Last line on
standard output: JSON. Ends 0 only when the good cameras lost nothing, and the gateway ended well and within its memory.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from tool import Tool

HERE = pathlib.Path(__file__).parent
DIALOGUES = HERE.parent.parent / "Tests/Fixtures/rtsp"
GOOD = {"gate": "h264", "yard": "mjpeg"}
HOSTILE = {"huge": "tcp", "flood": "tcp", "flips": "tcp", "injected": "udp"}
SETTINGS = """gateway: dock-7
kafka: {{brokers: ['127.0.0.1:{port}']}}
buffer: {{memory: 32MiB, directory: '{directory}/ring', size: 1GiB}}
stop_timeout: 60s
cameras:
{cameras}"""


class ControlGroup:
    """A memory cgroup of either version, or none where this machine offers none."""

    def __init__(self, mebibytes):
        self.mebibytes = mebibytes
        self.path, self.version = self.create()

    def create(self):
        name = f"camgate-hostile-{os.getpid()}"
        places = [("/sys/fs/cgroup", 2), ("/sys/fs/cgroup/unified", 2), ("/sys/fs/cgroup/memory", 1)]
        for place, version in places:
            path, limit = pathlib.Path(place, name), "memory.max" if version == 2 else "memory.limit_in_bytes"
            with contextlib.suppress(OSError):
                if version == 2:
                    if "memory" not in pathlib.Path(place, "cgroup.controllers").read_text().split():
                        continue
                    pathlib.Path(place, "cgroup.subtree_control").write_text("+memory")
                path.mkdir()
                (path / limit).write_text(str(self.mebibytes << 20))
                return path, version
        return None, 0

    def enter(self):
        """Called in the child."""
        if self.path:
            (self.path / "cgroup.procs").write_text("0")

    def figures(self):
        if not self.path:
            return {"cgroup": "none on this machine: only the peak of the process is looked at"}
        peak = self.path / ("memory.peak" if self.version == 2 else "memory.max_usage_in_bytes")
        events = self.path / ("memory.events" if self.version == 2 else "memory.oom_control")
        kills = re.search(r"^oom_kill (\d+)", events.read_text(), re.MULTILINE)
        return {
            "cgroup": f"version {self.version}, {self.mebibytes} MiB",
            "peak_with_page_cache_mib": int(peak.read_text()) >> 20,
            "oom_kills": int(kills[1]) if kills else 0,
        }

    def remove(self):
        if self.path:
            with contextlib.suppress(OSError):
                self.path.rmdir()


def camera(name, url, transport="tcp", topic="cameras"):
    return f"  - {{name: {name}, url: '{url}', transport: {transport}, topic: {topic}}}\n"


def tool(stack, name, *arguments):
    started = Tool(name, *arguments)
    stack.callback(started.end)
    return started


def drain(program):
    """What the responder says nobody reads, and it must not wait for that."""
    subprocess.Popen(["cat"], stdin=program.process.stdout, stdout=subprocess.DEVNULL)


def peak(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) >> 10


def run(options, stack, group):
    directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="camgate-hostile-")))
    (directory / "ring").mkdir()
    broker = tool(stack, "broker", "--topic", "cameras:4", "--topic", "hostile:4")
    proxy = tool(stack, "proxy", broker.ready["port"], "--kafka")
    good = tool(stack, "cameras", *(f"{name}={show}" for name, show in GOOD.items()))
    bad = [tool(stack, "responder", DIALOGUES / f"{name}.toml") for name in HOSTILE]
    cameras = "".join(camera(name, good.ready["urls"][name]) for name in GOOD)
    for (name, transport), each in zip(HOSTILE.items(), bad, strict=True):
        cameras += camera(name, each.ready["urls"][name], transport, "hostile")
        drain(each)
    path = directory / "camgate.yaml"
    path.write_text(SETTINGS.format(port=proxy.ready["port"], directory=directory, cameras=cameras))
    log = directory / "log"
    with log.open("w") as output:
        gateway = subprocess.Popen([os.environ["CAMGATE"], "run", path], stderr=output, preexec_fn=group.enter)
    stack.callback(gateway.kill)
    third = options.seconds / 3
    for command in (None, "cut", "pass"):
        if command:
            proxy.command(command)
        with contextlib.suppress(subprocess.TimeoutExpired):
            gateway.wait(third)
            break
    if gateway.poll() is not None:
        print(*log.read_text().splitlines()[-20:], sep="\n", file=sys.stderr)
        return {"ended": gateway.returncode}, group.figures(), None
    figures = group.figures() | {"peak_mib": peak(gateway)}
    gateway.send_signal(signal.SIGTERM)
    code = gateway.wait(120)
    lines = log.read_text().splitlines()
    print(*[line for line in lines if "warn" in line][:40], lines[-1], f"{len(lines)} lines", sep="\n", file=sys.stderr)
    names = [text for name in GOOD for text in ("--camera", name)]
    command = [HERE / "run", "reader", "--brokers", broker.ready["brokers"], *names, "--timeout", "300"]
    reader = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return {"ended": code, "log_lines": len(lines)}, figures, json.loads(reader.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", default=300, type=int)
    parser.add_argument("--memory", default=400, type=int)
    options = parser.parse_args()
    group = ControlGroup(options.memory)
    try:
        with contextlib.ExitStack() as stack:
            ending, figures, findings = run(options, stack, group)
    finally:
        group.remove()
    counts = {name: findings[name] for name in ("frames", "lost", "gaps", "twice", "problems")} if findings else {}
    print(json.dumps({"hostile": counts | ending | figures}))
    is_small = figures.get("peak_mib", 1 << 20) < options.memory and not figures.get("oom_kills")
    return 0 if findings and findings["ok"] and ending["ended"] == 0 and is_small else 1


if __name__ == "__main__":
    sys.exit(main())
