#!/usr/bin/env python3
"""Resuming: a gateway with a ring dies by SIGKILL again and again, and its topic is counted as it is.

usage: resumes.py [--short] [--kills N] [--partitions N]... [--resume skip-delivered|resend]... [--seed N]
                  [--order oldest-first|live-first]      CAMGATE names the executable

First the broker is shown to remove the duplicates of idempotent retries, else nothing could be counted. Then, for each
number of partitions and each way to resume, the same seeds: the gateway (write: always) is killed N times, in turns
while it sends what its cameras give and while it catches up after an outage, on a link with a delay; another gateway
writes to the same partitions all the time. Every frame that a run had said to be safe must be in the topic, and with
skip-delivered none twice: counted in the topic itself, before any removal. With resend, which is there to show that the
count can tell, at least half of the kills must have doubled something, and what remains after removal by id must be the
same as ever: nothing lost, in order.
A table goes to standard error, a JSON line to standard output; ends 0 only when all of this holds.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import dedup
import records
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from ledger import Ledger
from tool import Tool
from topic import Topic

CAMERAS = {"gate": "test:320x240@25", "yard": "test:160x120@30", "dock": "test:160x120@15"}
LINK_DELAY_MS = 40
STOP_SECONDS = 60
SETTINGS = """gateway: {name}
kafka:
  brokers: ['127.0.0.1:{port}']
  resume: {resume}
  catch_up: {{order: {order}}}
  properties: {{reconnect.backoff.max.ms: 500}}
buffer: {buffer}
stop_timeout: {stop}s
cameras:
{cameras}"""


class Gateway:
    """`camgate run` with its settings, started again and again."""

    def __init__(self, directory, name, port, cameras, buffer, resume, order="oldest-first"):
        self.path = directory / f"{name}.yaml"
        self.log = directory / f"{name}.log"
        listed = "".join(f"  - {{name: {camera}, url: '{url}'}}\n" for camera, url in cameras.items())
        self.path.write_text(
            SETTINGS.format(
                name=name, port=port, resume=resume, order=order, buffer=buffer, stop=STOP_SECONDS, cameras=listed
            )
        )
        self.cameras = cameras
        # The newest frame of each camera and run that was said to be safe.
        self.promised = {}
        self.process = None

    def start(self):
        reading, writing = os.pipe()
        environment = os.environ | {"CAMGATE_REPORT_SECURED": str(writing)}
        with self.log.open("a") as output:
            self.process = subprocess.Popen(
                [os.environ["CAMGATE"], "run", self.path], stderr=output, env=environment, pass_fds=[writing]
            )
        os.close(writing)
        self.listener = threading.Thread(target=self.listen, args=(reading,))
        self.listener.start()

    def listen(self, reading):
        with os.fdopen(reading) as lines:
            for line in lines:
                camera, epoch, sequence = line.split()
                key = (camera, int(epoch))
                self.promised[key] = max(self.promised.get(key, 0), int(sequence))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.listener.join()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS + 30)
        self.listener.join()
        return code


def others_cameras(partitions):
    """Cameras of another gateway, one on each partition of ours."""
    ours = {partition_of("dock-7", name, partitions) for name in CAMERAS}
    found = {}
    for number in range(1000):
        name = f"other-{number}"
        where = partition_of("dock-8", name, partitions)
        if where in ours and where not in found:
            found[where] = name
    return {name: "test:160x120@10" for name in found.values()}


def partition_of(gateway, camera, partitions):
    return (records.murmur2(f"{gateway}/{camera}".encode()) & 0x7FFFFFFF) % partitions


class Tail:
    """Counts our gateway's records as they come into the topic."""

    def __init__(self, brokers, topic, partitions):
        self.consumer = Consumer({"bootstrap.servers": brokers, "group.id": "tail", "enable.auto.commit": False})
        self.consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
        self.count = 0
        self.is_ending = False
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while not self.is_ending:
            message = self.consumer.poll(0.1)
            if message is not None and not message.error() and message.key().startswith(b"dock-7/"):
                self.count += 1

    def wait(self, count, seconds):
        """Waits until so many records more are there, or so long."""
        goal, deadline = self.count + count, time.monotonic() + seconds
        while self.count < goal and time.monotonic() < deadline:
            time.sleep(0.005)

    def end(self):
        self.is_ending = True
        self.thread.join()
        self.consumer.close()


class Counter(Ledger):
    """The ledger, which also notes where in the topic records stand for the second time."""

    def __init__(self, promised, gateway, order):
        super().__init__(promised, gateway)
        self.order = order
        self.doubled_at = []

    def add(self, message, partitions):
        before = self.figures["repeated"]
        super().add(message, partitions)
        if self.figures["repeated"] > before:
            self.doubled_at.append((message.partition(), message.offset()))

    def check_order(self, record):
        if self.order == "oldest-first":
            return super().check_order(record)
        # New frames and those that had to wait are two orders.
        place, lane = (record.epoch, record.sequence), (record.camera, record.backfill)
        if place <= self.newest.get(lane, (0, 0)):
            self.problems.append(f"{lane}: {place} behind {self.newest[lane]}")
        self.newest[lane] = place


def ends(brokers, topic, partitions):
    """The end of each partition."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "ends", "log_level": 0})
    try:
        return [
            consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1] for number in range(partitions)
        ]
    finally:
        consumer.close()


def campaign(options, broker, topic, partitions, resume, directory):
    """One series of kills; what was found in the topic."""
    dice = random.Random(options.seed)
    brokers = broker.ready["brokers"]
    proxy = Tool("proxy", broker.ready["port"], "--kafka")
    proxy.command(f"delay {LINK_DELAY_MS}")
    ring = directory / f"ring-{partitions}-{resume}"
    ring.mkdir()
    buffer = f"{{memory: 16MiB, directory: '{ring}', size: 256MiB, segment: 8MiB, write: always, sync_interval: 200ms}}"
    ours = Gateway(directory, "dock-7", proxy.ready["port"], CAMERAS, buffer, resume, options.order)
    other = Gateway(directory, "dock-8", broker.ready["port"], others_cameras(partitions), "{memory: 16MiB}", resume)
    other.start()
    tail = Tail(brokers, topic, partitions)
    boundaries = []
    try:
        for number in range(options.kills):
            is_outage = number % 2 == 1
            if is_outage:
                proxy.command("cut")
            ours.start()
            if is_outage:
                time.sleep(dice.uniform(1.0, 2.0))
                proxy.command("pass")
                proxy.command(f"delay {LINK_DELAY_MS}")
            # In the middle of sending; every fifth also before anything of this run is, or while it still looks.
            if number % 5 < 4:
                tail.wait(dice.randint(1, 90), 20)
            time.sleep(dice.uniform(0, 0.4))
            ours.kill()
            boundaries.append(ends(brokers, topic, partitions))
        ours.start()
        time.sleep(5)
        codes = [ours.stop(), other.stop()]
    finally:
        tail.end()
        for gateway in (ours, other):
            gateway.process.kill()
        proxy.end()
    return judge(brokers, topic, ours, boundaries, codes, options.order)


def judge(brokers, topic, gateway, boundaries, codes, order):
    counter = Counter(gateway.promised, "dock-7", order)
    reading = Topic(brokers, topic, timeout=120)
    for message in reading:
        if message.key().startswith(b"dock-7/"):
            counter.add(message, reading.partitions)
    missing = sum(len(numbers) for numbers in counter.missing().values())
    # What a kill doubled lies behind the end that the topic had when it happened, or just before, while it was looked.
    causes = {
        max(0, sum(offset >= ends[partition] for ends in boundaries) - 1) for partition, offset in counter.doubled_at
    }
    for problem in counter.problems[:10]:
        print(f"resumes: {problem}", file=sys.stderr)
    log = gateway.log.read_text()
    return {
        "kills": len(boundaries),
        "promised": sum(gateway.promised.values()),
        "frames": counter.figures["frames"],
        "lost": missing,
        "doubled": counter.figures["repeated"],
        "kills_that_doubled": len(causes),
        "problems": len(counter.problems),
        "skipped": log.count("in Kafka already"),
        "codes": codes,
    }


def is_good(row, resume):
    sound = row["lost"] == 0 and row["problems"] == 0 and row["promised"] > 0 and row["codes"] == [0, 0]
    if resume == "skip-delivered":
        return sound and row["doubled"] == 0 and row["skipped"] > 0
    return sound and row["kills_that_doubled"] * 2 >= row["kills"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a few kills over six partitions")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--partitions", action="append", type=int)
    parser.add_argument("--resume", action="append", choices=["skip-delivered", "resend"])
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--order", default="oldest-first", choices=["oldest-first", "live-first"])
    parser.add_argument("--keep", help="a directory for the logs")
    options = parser.parse_args()
    options.kills = options.kills or (6 if options.short else 50)
    rows, verdict = [], True
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(
            options.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="camgate-resumes-"))
        )
        directory.mkdir(exist_ok=True)
        series = [
            (partitions, resume)
            for partitions in options.partitions or ([6] if options.short else [1, 6])
            for resume in options.resume or ["skip-delivered", "resend"]
        ]
        removal = None
        for partitions, resume in series:
            # A broker for each series: its one topic, and no more in its memory than that.
            broker = Tool("broker", "--topic", f"cameras:{partitions}")
            stack.callback(broker.end)
            if removal is None:
                removal = dedup.check(broker.ready["brokers"])
                print(f"resumes: the broker {json.dumps(removal)}", file=sys.stderr)
                if not removal["removes"]:
                    print("resumes: this broker does not remove the duplicates of retries: it cannot be counted on")
                    return 1
            place = directory / f"{partitions}-{resume}"
            place.mkdir()
            row = campaign(options, broker, "cameras", partitions, resume, place)
            broker.end()
            rows.append({"partitions": partitions, "resume": resume, **row})
            verdict = verdict and is_good(row, resume)
            print(f"resumes: {json.dumps(rows[-1])}", file=sys.stderr)
    columns = ("partitions", "resume", "kills", "promised", "frames", "lost", "doubled", "kills_that_doubled")
    print("  ".join(f"{name:>14}" for name in columns), file=sys.stderr)
    for row in rows:
        print("  ".join(f"{row[name]!s:>14}" for name in columns), file=sys.stderr)
    print(json.dumps({"resumes": rows, "broker": removal, "ok": verdict}))
    return 0 if verdict else 1


if __name__ == "__main__":
    sys.exit(main())
