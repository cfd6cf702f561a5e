#!/usr/bin/env python3
"""Disks that fail: a gateway with a ring on ext4, over a device that fails on command, with Kafka cut off or back.

usage: disks.py [--short] [--jobs N] [--keep DIRECTORY] [PHASE/FAULT]...        CAMGATE names the executable

A fault happens in an outage, while the gateway catches up after one, while it starts, or while it stops. Each case has
a disk, a broker and a gateway of its own; several run at a time. At the end the topic is counted: what the gateway
captured and is not there is lost. Nothing may be lost, for every disk here can be read afterwards and memory has room
for what is new; but what the last line of the log names, the frames in memory of a gateway that stops and cannot write.
Needs root.
A table goes to standard error, a JSON line to standard output; ends 0 only when all of this holds.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import signal
import sys
import tempfile
import time
from dataclasses import dataclass

import resumes
from ledger import Ledger
from tool import Tool
from topic import Topic

CAMERAS = {"gate": "test:320x240@25", "yard": "test:320x240@15"}
SHORT = ["catch-up/read errors", "outage/write and sync errors for good", "start/read errors in one file"]
LIMIT = 90


@dataclass
class Fault:
    """Commands of disk.py, and for how long; None: until the end, which the disk only survives read-only."""

    commands: list
    seconds: float | None = 10
    cure: tuple = ("heal",)
    memory: int = 12


READ_MEMORY = 3  # MiB: so little that most of an outage has to be read from the disk
FAULTS = {
    "read errors": Fault(["read-eio all"], memory=READ_MEMORY),
    "read errors in one file": Fault(["read-eio segment-00000"], memory=READ_MEMORY),
    "read errors in one sector": Fault(["read-eio segment-00000 2097152 512"], memory=READ_MEMORY),
    "write errors": Fault(["write-eio all"]),
    "sync errors": Fault(["sync-eio"]),
    "write and sync errors for good": Fault(["write-eio all", "sync-eio"], None),
    "syncs of 7 s": Fault(["sync-delay 7"], 14),
    "read-only": Fault(["abort"], None),
    "a full disk beside it": Fault(["fill"], None),
    "unplugged and back": Fault(["unplug"], 4, ("plug",)),
    "a flush that lies, SIGKILL": Fault(["lie"], 6),
}
PHASES = {
    "outage": [name for name in FAULTS],
    "catch-up": [name for name in FAULTS if "lies" not in name],
    "start": [name for name in FAULTS if "lies" not in name],
    "stop": ["write errors", "write and sync errors for good", "syncs of 7 s", "read-only", "a full disk beside it"],
}
CASES = [f"{phase}/{fault}" for phase, faults in PHASES.items() for fault in faults]


class Gateway(resumes.Gateway):
    """A gateway whose log is waited for."""

    def lines(self):
        return self.log.read_text().splitlines()

    def wait(self, text, since=0, limit=LIMIT):
        deadline = time.monotonic() + limit
        while not any(text in line for line in self.lines()[since:]):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise TimeoutError(f"no '{text}' in the log")
            time.sleep(0.05)

    def stop_at_once(self):
        """Asked to stop, and again as soon as it has written everything: seconds until it had ended, and the code."""
        started, before = time.monotonic(), len(self.lines())
        self.process.send_signal(signal.SIGTERM)
        while self.process.poll() is None and time.monotonic() < started + LIMIT:
            if any("stopping" in line for line in self.lines()[before:]):
                self.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        if self.process.poll() is None:
            raise TimeoutError("the gateway does not stop")
        self.listener.join()
        return time.monotonic() - started

    def counted(self):
        """Frames captured, and frames said to be lost at the end, over all runs."""
        text = self.log.read_text()
        captured = re.findall(r"stopped; (\d+) frames captured", text)
        lost = re.findall(r"(\d+) not delivered and lost", text)
        return sum(map(int, captured)), sum(map(int, lost))


class Counter(Ledger):
    """The ledger of one gateway whose stops are orderly: only the order is looked at."""

    def check_order(self, record):
        place = (record.epoch, record.sequence)
        if place <= self.newest.get(record.camera, (0, 0)):
            self.problems.append(f"{record.camera}: {place} behind {self.newest[record.camera]}")
        self.newest[record.camera] = place


class Bench:
    """Everything that one case needs."""

    def __init__(self, stack, directory, name):
        phase, _, fault = name.partition("/")
        self.phase, self.fault, self.name = phase, FAULTS[fault], fault
        self.broker = self.started(stack, "broker", "--topic", "cameras:2")
        self.proxy = self.started(stack, "proxy", self.broker.ready["port"], "--kafka")
        place = directory / "disk"
        place.mkdir()
        self.disk = self.started(stack, "disk", place)
        buffer = (
            f"{{memory: {self.fault.memory}MiB, directory: '{self.disk.ready['directory']}', size: 17MiB, "
            "segment: 4MiB, sync_interval: 200ms}"
        )
        self.gateway = Gateway(directory, "dock-7", self.proxy.ready["port"], CAMERAS, buffer, "skip-delivered")
        stack.callback(self.end)

    def started(self, stack, name, *arguments):
        tool = Tool(name, *arguments)
        stack.callback(tool.end)
        return tool

    def end(self):
        if self.gateway.process:
            self.gateway.process.kill()

    def inflict(self):
        for command in self.fault.commands:
            self.disk.command(command)

    def suffer(self):
        """The time of the fault, during which nothing is read from a cache."""
        ending = time.monotonic() + (self.fault.seconds or 10)
        while time.monotonic() < ending:
            if "read" in self.name:
                self.disk.command("forget")
            time.sleep(0.2)

    def heal(self):
        if self.fault.seconds is None:
            return
        for command in self.fault.cure:
            self.disk.command(command)

    def fill_the_ring(self):
        """An outage that has left something on disk."""
        self.gateway.start()
        self.gateway.wait("camera yard: streaming")
        time.sleep(1)
        self.proxy.command("cut")
        self.gateway.wait("frames go to disk")
        time.sleep(16 if self.phase == "catch-up" else 8)

    def run(self):
        getattr(self, self.phase.replace("-", "_"))()
        return self.judge()

    def outage(self):
        self.fill_the_ring()
        self.inflict()
        self.suffer()
        if "lies" in self.name:
            return self.lose_power()
        self.heal()
        time.sleep(1)
        self.deliver()

    def lose_power(self):
        self.gateway.kill()
        self.disk.command("remount")
        self.heal()
        self.gateway.start()
        time.sleep(2)
        self.deliver()

    def catch_up(self):
        self.fill_the_ring()
        if "read" in self.name:
            self.disk.command("forget")
        self.inflict()
        self.proxy.command("pass")
        self.proxy.command("rate 1000000")
        self.suffer()
        self.heal()
        self.deliver()

    def start(self):
        self.fill_the_ring()
        self.gateway.stop_at_once()
        self.disk.command("forget")
        self.inflict()
        self.gateway.start()
        self.suffer()
        self.heal()
        time.sleep(1)
        self.deliver()

    def stop(self):
        self.fill_the_ring()
        self.inflict()
        seconds = self.gateway.stop_at_once()
        if seconds > 45:
            raise TimeoutError(f"stopping took {seconds:.0f} s")
        if self.fault.seconds is None:
            # The next run has another disk controller, so to speak, and the same data.
            self.disk.command("heal")
            self.disk.command("remount")
        self.heal()
        self.gateway.start()
        self.deliver()

    def deliver(self):
        """Kafka is back: everything has to arrive."""
        self.proxy.command("pass")
        time.sleep(3)
        code = self.gateway.stop()
        if code != 0:
            raise RuntimeError(f"exit code {code}")

    def judge(self):
        counter = Counter(self.gateway.promised, "dock-7")
        topic = Topic(self.broker.ready["brokers"], "cameras", timeout=120)
        for message in topic:
            counter.add(message, topic.partitions)
        captured, said = self.gateway.counted()
        figures = counter.figures
        row = {"captured": captured, "delivered": figures["frames"], "lost": captured - figures["frames"]}
        row |= {"announced": figures["announced"] + said, "doubled": figures["repeated"]}
        row["problems"] = counter.problems[:5]
        if "SIGKILL" in self.name:
            # How much the killed run has captured is unknown; what it promised was a lie of the disk.
            row["lost"] = sum(len(numbers) for numbers in counter.missing().values())
            row["ok"] = not counter.problems and row["doubled"] == 0
        else:
            row["ok"] = not counter.problems and row["lost"] <= said and row["doubled"] == 0
        return row


def case(name, directory):
    """One case: its row of the table."""
    started = time.monotonic()
    place = directory / name.replace("/", "-").replace(" ", "-")
    place.mkdir()
    with contextlib.ExitStack() as stack:
        bench = None
        try:
            bench = Bench(stack, place, name)
            row = bench.run()
        except (OSError, RuntimeError, TimeoutError) as error:
            row = {"ok": False, "problems": [f"{error}"]}
        if not row["ok"]:
            lines = bench.gateway.lines() if bench and bench.gateway.log.exists() else []
            print(f"disks: {name}: {row}", *[f"    {line}" for line in lines[-40:]], sep="\n", file=sys.stderr)
    row["seconds"] = round(time.monotonic() - started)
    return {"case": name, **row}


def own_namespace():
    """What is mounted goes with this process."""
    if os.geteuid() != 0:
        sys.exit("disks: needs root: it makes file systems and mounts them")
    if "DISKS_NAMESPACE" not in os.environ:
        os.environ["DISKS_NAMESPACE"] = "own"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="three cases, at the same time")
    parser.add_argument("--jobs", type=int, default=4, help="so many cases at a time")
    parser.add_argument("--keep", help="a directory for the logs")
    parser.add_argument("case", nargs="*", help="a phase, a fault, or PHASE/FAULT")
    options = parser.parse_args()
    own_namespace()
    names = SHORT if options.short else CASES
    if options.case:
        names = [name for name in CASES if {name, *name.split("/")} & set(options.case)]
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="camgate-disks-")
        directory = pathlib.Path(options.keep or stack.enter_context(temporary))
        directory.mkdir(exist_ok=True)
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(options.jobs))
        rows = list(pool.map(lambda name: case(name, directory), names))
    columns = ("captured", "delivered", "lost", "announced", "doubled", "seconds")
    print(f"{'fault':45}" + "".join(f"{name:>11}" for name in columns), file=sys.stderr)
    for row in rows:
        cells = "".join(f"{row.get(name, '-')!s:>11}" for name in columns)
        print(f"{row['case']:45}{cells}{'' if row['ok'] else '  WRONG'}", file=sys.stderr)
    is_good = all(row["ok"] for row in rows)
    print(json.dumps({"disks": rows, "ok": is_good}))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
