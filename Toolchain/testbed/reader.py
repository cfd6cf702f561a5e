#!/usr/bin/env python3
"""The independent reader: checks that what lies in a topic is what the gateway promises.

usage: reader.py --brokers HOST:PORT --topic NAME [--gateway NAME] [--camera NAME]... [--frames N] [--follow]
                 [--gaps REASON,…] [--skip decode|counter] [--timeout SECONDS]

Reads the topic from its beginning to its present end; with --follow until every --camera has --frames frames.
Checks the key, the partition, every header, the order, unique ids, one access unit a record, parameter sets in front of
every keyframe, that FFmpeg decodes every GOP on its own without an error, that muxers take every record with its times
(muxing.py), and that the burnt-in counter (media.py) has neither hole nor repeat. A ce_gap is a fault unless --gaps
allows its reason.
Last line on standard output: a JSON summary. Ends 0 only when nothing is wrong; what is wrong goes to standard error.
"""

import argparse
import json
import sys

import media
import muxing
import pictures
import records
from topic import Topic

PROBLEMS_SHOWN = 20
# announced: frames that counted gaps say are missing. lost, repeated: by the burnt-in counter, where no gap says so.
FIGURES = ("frames", "parts", "keyframes", "gaps", "announced", "lost", "repeated", "twice")


class CameraCheck:
    """Follows one camera through its records."""

    def __init__(self, name, report, options):
        self.name = name
        self.report = report
        self.options = options
        self.last = None
        self.gop = []
        self.number = self.epoch = None
        self.ids = set()
        self.joiner = records.Joiner()
        self.muxing = muxing.Muxing()
        self.figures = dict.fromkeys(FIGURES, 0)

    def add(self, record):
        self.figures["parts"] += record.chunk is not None
        frame, problems = self.joiner.add(record)
        for text in problems:
            self.problem(record, text)
        if frame:
            self.add_frame(frame)

    def add_frame(self, record):
        self.figures["frames"] += 1
        self.figures["keyframes"] += record.keyframe
        self.figures["codec"] = record.codec
        if record.id in self.ids:
            self.figures["twice"] += 1
            return self.problem(record, "twice in the topic")
        self.ids.add(record.id)
        for text in records.order_problems(self.last, record) + self.muxing.add(record):
            self.problem(record, text)
        if record.gap is not None:
            self.figures["gaps"] += 1
            self.figures["announced"] += 0 if record.gap == "unknown" else int(record.gap)
            if record.gap_reason not in self.options.gaps:
                self.problem(record, f"ce_gap {record.gap} ({record.gap_reason})")
        self.last = record
        if record.keyframe:
            self.finish()
        self.gop.append(record)

    def finish(self, is_last=False):
        """Decodes the GOP collected so far. The very last one may have been cut off in the middle."""
        gop, self.gop = self.gop, []
        if not gop or "decode" in self.options.skip:
            return
        try:
            pairs = pictures.decode(gop)
        except pictures.Undecodable as error:
            self.number = None
            return self.problem(gop[0], f"GOP of {len(gop)} does not decode: {error}")
        self.check_size(gop[0], pairs[0][1])
        # Clips begin again, a camera of the kind `test` counts on.
        numbers = [pictures.counter(frame) % media.FRAMES for _, frame in pairs]
        if is_last and any(record.reordered for record in gop):
            numbers.pop()  # it may have come before the B-frames that are shown before it
        if "counter" not in self.options.skip:
            self.count(gop[0], numbers)

    def check_size(self, record, frame):
        if (record.width, record.height) != (frame.width, frame.height):
            self.problem(record, f"header {record.width}x{record.height}, picture {frame.width}x{frame.height}")

    def count(self, first, numbers):
        """Compares the burnt-in numbers of a GOP with what must come next; after an uncounted gap anything may."""
        if self.number is not None and first.gap != "unknown" and first.epoch == self.epoch:
            expected = (self.number + 1 + int(first.gap or 0)) % media.FRAMES
        else:
            expected = numbers[0] if numbers else None
        self.epoch = first.epoch
        for number in numbers:
            self.number = number
            if (number + 1) % media.FRAMES == expected:
                self.figures["repeated"] += 1
                self.problem(first, f"frame number {number} again")
            elif number != expected:
                self.figures["lost"] += (number - expected) % media.FRAMES
                self.problem(first, f"frame number {number}, expected {expected}")
            expected = (number + 1) % media.FRAMES

    def problem(self, record, text):
        self.report(f"{self.name}: {record.epoch}-{record.sequence}: {text}")


class Reader:
    """All cameras of a topic."""

    def __init__(self, options):
        self.options = options
        self.cameras = {}
        self.problems = []

    def satisfied(self):
        counts = [self.cameras[name].figures["frames"] if name in self.cameras else 0 for name in self.options.camera]
        return bool(counts) and min(counts) >= self.options.frames

    def read(self):
        topic = Topic(self.options.brokers, self.options.topic, self.options.follow, self.options.timeout)
        try:
            for message in topic:
                self.add(message, topic.partitions)
                if self.options.follow and self.satisfied():
                    break
        except TimeoutError as error:
            self.problems.append(str(error))
        for camera in self.cameras.values():
            camera.finish(is_last=True)
        self.check_presence()

    def add(self, message, partitions):
        record, problems = records.parse(message, partitions, self.options.gateway)
        where = f"partition {message.partition()} offset {message.offset()}"
        self.problems += [f"{where}: {problem}" for problem in problems]
        if record:
            if record.camera not in self.cameras:
                self.cameras[record.camera] = CameraCheck(record.camera, self.problems.append, self.options)
            self.cameras[record.camera].add(record)

    def check_presence(self):
        expected = set(self.options.camera) or set(self.cameras)
        self.problems += [f"{name}: nobody expected it" for name in sorted(set(self.cameras) - expected)]
        self.problems += [f"{name}: no record" for name in sorted(expected - set(self.cameras))]
        for name, camera in self.cameras.items():
            if camera.figures["frames"] < self.options.frames:
                self.problems.append(f"{name}: {camera.figures['frames']} frames, expected {self.options.frames}")

    def summary(self):
        cameras = {name: camera.figures for name, camera in sorted(self.cameras.items())}
        totals = {name: sum(figures[name] for figures in cameras.values()) for name in FIGURES}
        return {"ok": not self.problems, **totals, "problems": len(self.problems), "cameras": cameras}


def arguments(texts=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", default="cameras")
    parser.add_argument("--gateway")
    parser.add_argument("--camera", action="append", default=[])
    parser.add_argument("--frames", default=1, type=int)
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--gaps", default=[], type=lambda text: text.split(","))
    parser.add_argument("--skip", action="append", default=[], choices=["decode", "counter"])
    parser.add_argument("--timeout", default=60, type=int)
    options = parser.parse_args(texts)
    if options.follow and not options.camera:
        parser.error("--follow needs --camera")
    return options


def main():
    reader = Reader(arguments())
    reader.read()
    for problem in reader.problems[:PROBLEMS_SHOWN]:
        print(f"reader: {problem}", file=sys.stderr)
    if len(reader.problems) > PROBLEMS_SHOWN:
        print(f"reader: and {len(reader.problems) - PROBLEMS_SHOWN} more", file=sys.stderr)
    print(json.dumps(reader.summary()))
    return 0 if not reader.problems else 1


if __name__ == "__main__":
    sys.exit(main())
