#!/usr/bin/env python3
"""Judges what a gateway that was killed again and again has left in a topic.

usage: ledger.py --brokers HOST:PORT --secured FILE [--topic NAME] [--gateway NAME] [--follow SECONDS]

FILE has lines `CAMERA EPOCH SEQUENCE`: so far a run has said that its frames are acknowledged, safe on disk, or dropped
and counted. Each of these frames must be in the topic, or a counted ce_gap must cover it. The first record of each run
behind another must say `restart`, because that one was killed; records of a camera must be in order where they stand
for the first time (what is sent again after a kill stands there twice). With --follow it waits for what is missing so
long.
Last line on standard output: a JSON summary. Ends 0 only when nothing is wrong; what is wrong goes to standard error.
"""

import argparse
import json
import sys

import records
from topic import Topic


class Ledger:
    """What the topic has of each camera and run."""

    def __init__(self, promised, gateway):
        self.promised = promised
        self.gateway = gateway
        self.covered = {}
        self.newest = {}
        self.seen = set()
        self.problems = []
        self.figures = {"frames": 0, "repeated": 0, "announced": 0, "restarts": 0}

    def add(self, message, partitions):
        record, problems = records.parse(message, partitions, self.gateway)
        self.problems += problems
        if record is None:
            return
        if (record.source, record.id) in self.seen:
            self.figures["repeated"] += 1
            return
        self.seen.add((record.source, record.id))
        self.figures["frames"] += 1
        key = (record.camera, record.epoch)
        self.check_order(record)
        covered = self.covered.setdefault(key, set())
        covered.add(record.sequence)
        if record.gap not in (None, "unknown"):
            self.figures["announced"] += int(record.gap)
            covered.update(range(record.sequence - int(record.gap), record.sequence))

    def check_order(self, record):
        place = (record.epoch, record.sequence)
        newest = self.newest.get(record.camera)
        if newest and place <= newest:
            self.problems.append(f"{record.camera}: {place} behind {newest}")
        if newest and record.epoch > newest[0]:
            self.figures["restarts"] += 1
            if (record.gap, record.gap_reason) != ("unknown", "restart"):
                self.problems.append(f"{record.camera}: run {record.epoch} begins without a word of the restart")
        self.newest[record.camera] = max(place, newest or place)

    def missing(self):
        return {
            key: sorted(set(range(1, last + 1)) - self.covered.get(key, set()))
            for key, last in self.promised.items()
            if not set(range(1, last + 1)) <= self.covered.get(key, set())
        }


def read_promises(path):
    promised = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            camera, epoch, sequence = line.split()
            key = (camera, int(epoch))
            promised[key] = max(promised.get(key, 0), int(sequence))
    return promised


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--secured", required=True)
    parser.add_argument("--topic", default="cameras")
    parser.add_argument("--gateway")
    parser.add_argument("--follow", default=0, type=int)
    options = parser.parse_args()
    ledger = Ledger(read_promises(options.secured), options.gateway)
    topic = Topic(options.brokers, options.topic, options.follow > 0, options.follow or 60)
    try:
        for message in topic:
            ledger.add(message, topic.partitions)
            if options.follow and not ledger.missing():
                break
    except TimeoutError:
        pass
    missing = ledger.missing()
    problems = ledger.problems
    for (camera, epoch), numbers in missing.items():
        problems.append(f"{camera}: run {epoch}: {len(numbers)} frames missing, {numbers[:5]} and so on")
    for problem in problems[:20]:
        print(f"ledger: {problem}", file=sys.stderr)
    promised = sum(ledger.promised.values())
    lost = sum(len(numbers) for numbers in missing.values())
    print(json.dumps({"ok": not problems, "promised": promised, "lost": lost, **ledger.figures}))
    return 0 if not problems else 1


if __name__ == "__main__":
    sys.exit(main())
