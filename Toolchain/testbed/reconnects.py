#!/usr/bin/env python3
"""What connections that break leave behind: a gateway whose cameras end every connection after five frames, and three
that send for ever what has no end. Prints descriptors, threads and memory after each ten connections a camera.

usage: reconnects.py CAMGATE [--cameras N] [--connections N]

Fails when a descriptor or a thread is left, or memory grows by more than a few pages a connection.
"""

import argparse
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
DIALOGUES = HERE.parent.parent / "Tests/Fixtures/rtsp"
GROWTH = 16 << 10  # bytes a connection: the heap's own waste, measured at a tenth of it
NO_KAFKA = ["kafka: {brokers: ['127.0.0.1:9'], message_max_bytes: 64KiB}", "buffer: {memory: 1MiB}"]
PEAK = 400 << 20  # two descriptions of 64 MiB, two frames of 64 MiB being grown, and the rest


def process_figures(number):
    root = pathlib.Path("/proc") / str(number)
    status = (root / "status").read_text()
    memory = {key: int(value) * 1024 for key, value in re.findall(r"(VmRSS|VmHWM|RssAnon):\s+(\d+)", status)}
    threads = sorted((task / "comm").read_text().strip() for task in (root / "task").iterdir())
    return len(list((root / "fd").iterdir())), threads, memory


class Responder:
    def __init__(self, names):
        command = [sys.executable, HERE / "responder.py", *(DIALOGUES / f"{name}.toml" for name in names)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline()[6:])


def settings(responders, hostile):
    lines = ["gateway: long", *NO_KAFKA, "cameras:"]
    for index, each in enumerate(responders):
        lines.append(f"  - {{name: c{index}, url: '{each.ready['urls']['closes-soon']}'}}")
    for name, url in hostile.ready["urls"].items():
        lines.append(f"  - {{name: {name}, url: '{url}'}}")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camgate")
    parser.add_argument("--cameras", default=4, type=int)
    parser.add_argument("--connections", default=30, type=int)
    options = parser.parse_args()

    responders = [Responder(["closes-soon"]) for _ in range(options.cameras)]
    hostile = Responder(["endless-description", "endless-frame", "endless-line"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "camgate.yaml"
        file.write_text(settings(responders, hostile))
        gateway = subprocess.Popen([options.camgate, "run", file], stderr=subprocess.DEVNULL)
        try:
            return watch(gateway, responders, options.connections)
        finally:
            gateway.terminate()
            gateway.wait()


def watch(gateway, responders, connections):
    """Waits for the connections of all cameras, ten by ten; looks when none is open."""
    seen = []
    print(f"{'connections':>11} {'descriptors':>11} {'threads':>7} {'anonymous KiB':>13} {'peak MiB':>8}")
    for wanted in range(10, connections + 1, 10):
        for each in responders:
            gone = 0
            while gone < 10:
                if gateway.poll() is not None:
                    raise SystemExit(f"the gateway ended with {gateway.returncode}")
                gone += '"event": "gone"' in each.process.stdout.readline()
        time.sleep(0.3)
        descriptors, threads, memory = process_figures(gateway.pid)
        threads = [name for name in threads if name != "resolve"]
        seen.append((wanted * len(responders), descriptors, threads, memory["RssAnon"]))
        figures = (seen[-1][0], descriptors, len(threads), memory["RssAnon"] >> 10, memory["VmHWM"] >> 20)
        print("{:>11} {:>11} {:>7} {:>13} {:>8}".format(*figures), flush=True)
    first, last = seen[0], seen[-1]
    growth = (last[3] - first[3]) / max(1, last[0] - first[0])
    print(f"growth: {growth:.0f} bytes a connection")
    complaints = []
    # A camera may be in the middle of its next connection; the hostile three always are.
    if last[1] > first[1] + len(responders) + 3:
        complaints.append(f"descriptors: {first[1]} at first, {last[1]} at last")
    if last[2] != first[2]:
        complaints.append(f"threads: {first[2]} at first, {last[2]} at last")
    if growth > GROWTH:
        complaints.append("memory grows")
    if memory["VmHWM"] > PEAK:
        complaints.append(f"a peak of {memory['VmHWM'] >> 20} MiB")
    for complaint in complaints:
        print("FAILED:", complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
