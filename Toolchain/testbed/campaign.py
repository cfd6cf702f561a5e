#!/usr/bin/env python3
"""The fault campaign: one gateway, cameras, and a broker behind TLS and a proxy that fails in every way it knows.

usage: campaign.py [--short] [FAULT]...        CAMGATE names the executable

After each fault the uplink is healed, and the time is taken until every camera's newest record is less than a second
old. At the end the independent reader (reader.py) looks for anything lost, doubled or out of order. A table goes to
standard error, a JSON line to standard output; ends 0 only when nothing was lost or doubled.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from tool import Tool

HERE = pathlib.Path(__file__).parent
CAMERAS = {"gate": "h264", "yard": "mjpeg"}
PARTITIONS = 4
RECOVERY_LIMIT = 180
MEMORY_MIB = 48
# Beyond what it had before the first fault and the frames it may hold in memory.
GROWTH_LIMIT_MIB = 24
RESOLVING = [("hosts", "hosts"), ("resolv", "resolv.conf")]
HOSTS = "127.0.0.1 localhost\n"
SETTINGS = """gateway: dock-7
kafka:
  brokers: ['kafka.tst:{port}']
  tls: {{ca: '{directory}/ca.pem'}}
  properties: {{socket.timeout.ms: {timeout}}}
buffer: {{memory: {memory}MiB, directory: '{directory}/ring', size: 512MiB}}
stop_timeout: 60s
cameras:
{cameras}"""

# What is done to the uplink, and for how many seconds in the long and in the short form; commands of proxy.py, or of
# broker.py with `broker:` in front; `hosts:` takes the brokers' name away. What is (seconds, text) is repeated.
FAULTS = {
    "refused connections": (["cut"], 30, 2),
    "blackhole": (["blackhole"], 90, 2),
    "swallowed answers": (["eat"], 30, 2),
    "reset every 2 s": ([(2, "reset")], 30, 5),
    "half-open": (["halfopen"], 60, 0),
    "one bit per MiB": (["corrupt 1048576"], 60, 0),
    "one bit per 64 KiB": (["corrupt 65536"], 30, 3),
    "a tenth of the rate": (["rate 60000"], 60, 3),
    "256 kbit/s": (["rate 32000"], 60, 0),
    "64 kbit/s": (["rate 8000"], 120, 4),
    "frozen broker": (["broker:pause"], 30, 2),
    "name does not resolve": (["hosts:", "reset"], 30, 3),
}


def started(stack, name, *arguments):
    """A tool that ends with the campaign."""
    tool = Tool(name, *arguments)
    stack.callback(tool.end)
    return tool


class Tail:
    """The newest records of the topic, read past the faults."""

    def __init__(self, brokers):
        self.consumer = Consumer({"bootstrap.servers": brokers, "group.id": "tail", "enable.auto.commit": False})
        self.consumer.assign([TopicPartition("cameras", number, OFFSET_END) for number in range(PARTITIONS)])
        self.newest = {}
        self.count = 0

    def read(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            message = self.consumer.poll(min(left, 0.1))
            if message is not None and not message.error():
                self.count += 1
                camera = message.key().decode().rpartition("/")[2]
                self.newest[camera] = max(self.newest.get(camera, 0), message.timestamp()[1] / 1000)

    def is_current(self):
        return set(self.newest) == set(CAMERAS) and min(self.newest.values()) > time.time() - 1

    def wait(self):
        """Seconds until all cameras are current again."""
        started = time.monotonic()
        while not self.is_current():
            if time.monotonic() - started > RECOVERY_LIMIT:
                raise TimeoutError(f"not current after {RECOVERY_LIMIT} s: {self.newest}")
            self.read(0.1)
        return time.monotonic() - started


class Gateway:
    """`camgate run`."""

    def __init__(self, stack, directory, port, urls, timeout):
        cameras = "".join(f"  - {{name: {name}, url: '{url}'}}\n" for name, url in urls.items())
        path = directory / "camgate.yaml"
        (directory / "ring").mkdir()
        path.write_text(
            SETTINGS.format(port=port, timeout=timeout, directory=directory, cameras=cameras, memory=MEMORY_MIB)
        )
        self.log = directory / "log"
        self.hosts = directory / "hosts"
        self.resolve(True)
        (directory / "resolv").write_text("nameserver 127.0.0.1\n")
        # Names as this process alone sees them.
        mounts = [f"mount --bind {directory}/{name} /etc/{target}" for name, target in RESOLVING]
        words = ["unshare", "--mount", "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh"]
        with self.log.open("w") as output:
            self.process = subprocess.Popen([*words, os.environ["CAMGATE"], "run", path], stderr=output)
        stack.callback(self.process.kill)
        stack.push(self.explain)

    def resolve(self, is_known):
        """Whether the brokers' name leads anywhere."""
        self.hosts.write_text(HOSTS + ("127.0.0.1 kafka.tst\n" if is_known else ""))

    def memory(self):
        """Resident, MiB."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)

    def explain(self, failure, *_):
        """Shows the end of its log when the campaign fails."""
        if failure:
            print(*self.log.read_text().splitlines()[-20:], sep="\n", file=sys.stderr)


def inflict(name, seconds, proxy, broker, gateway, tail):
    commands, started = FAULTS[name][0], time.monotonic()
    for command in commands:
        period, text = command if isinstance(command, tuple) else (0, command)
        if text == "hosts:":
            gateway.resolve(False)
            continue
        target = broker if text.startswith("broker:") else proxy
        target.command(text.removeprefix("broker:"))
        while period and time.monotonic() - started < seconds:
            tail.read(period)
            target.command(text)
    tail.read(max(0, seconds - (time.monotonic() - started)))


def heal(name, proxy, broker, gateway):
    gateway.resolve(True)
    if name == "frozen broker":
        broker.command("continue")
    if name == "swallowed answers":
        proxy.command("reset")
    proxy.command("pass")


def run(options, stack):
    directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="camgate-campaign-")))
    subprocess.run([HERE / "run", "certificates", directory], check=True)
    broker = started(stack, "broker", "--topic", f"cameras:{PARTITIONS}")
    proxy_port = free_port()
    certificate = ["--certificate", directory / "good.pem", "--key", directory / "good.key"]
    front = started(
        stack, "proxy", broker.ready["port"], "--kafka", "--advertise", proxy_port, "--host", "kafka.tst", *certificate
    )
    proxy = started(stack, "proxy", front.ready["port"], "--port", proxy_port)
    cameras = started(stack, "cameras", *(f"{name}={show}" for name, show in CAMERAS.items()))
    tail = Tail(broker.ready["brokers"])
    proxy.command("cut")
    gateway = Gateway(stack, directory, proxy_port, cameras.ready["urls"], 10_000 if options.short else 30_000)
    tail.read(2 if options.short else 120)
    proxy.command("pass")
    rows = [("away at the start", 2 if options.short else 120, 0, tail.wait(), gateway.memory())]
    for name in options.fault or FAULTS:
        seconds = FAULTS[name][2 if options.short else 1]
        if seconds == 0:
            continue
        before = tail.count
        inflict(name, seconds, proxy, broker, gateway, tail)
        arrived = tail.count - before
        heal(name, proxy, broker, gateway)
        rows.append((name, seconds, arrived, tail.wait(), gateway.memory()))
        print(f"campaign: {name}: recovered in {rows[-1][3]:.1f} s", file=sys.stderr)
    code = gateway.stop()
    # Decoding takes as long as the campaign; what lies in the topic twice or out of order shows without it.
    findings = judge(broker, "--skip", "decode")
    return rows, code, gateway.log.read_text().splitlines(), [findings, judge(broker)] if options.short else [findings]


def free_port():
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def judge(broker, *more):
    names = [text for name in CAMERAS for text in ("--camera", name)]
    command = [HERE / "run", "reader", "--brokers", broker.ready["brokers"], *names, "--timeout", "300", *more]
    reader = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(reader.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("fault", nargs="*")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        rows, code, log, findings = run(options, stack)
    print(f"{'fault':22}{'seconds':>9}{'arrived':>9}{'recovery s':>12}{'MiB':>6}", file=sys.stderr)
    for name, seconds, arrived, recovery, memory in rows:
        print(f"{name:22}{seconds:9}{arrived:9}{recovery:12.1f}{memory:6}", file=sys.stderr)
    print(f"campaign: {log[-1]}", file=sys.stderr)
    figures = {key: findings[-1][key] for key in ("frames", "lost", "repeated", "twice", "gaps", "problems")}
    recoveries = {name: round(recovery, 1) for name, _, _, recovery, _ in rows}
    print(json.dumps({"campaign": figures, "recovery_s": recoveries, "memory_mib": [row[4] for row in rows]}))
    growth = max(row[4] for row in rows) - rows[0][4]
    if any("the sandbox refuses" in line for line in log):
        print("campaign: the sandbox refused what the gateway needs", file=sys.stderr)
        return 1
    if growth > MEMORY_MIB + GROWTH_LIMIT_MIB:
        print(f"campaign: memory grew by {growth} MiB", file=sys.stderr)
        return 1
    return 0 if all(finding["ok"] for finding in findings) and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
