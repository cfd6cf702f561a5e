#!/usr/bin/env python3
"""The mean pixel of each record, by OpenCV and numpy: what `camgate consume --processor average-pixel` must agree with.

usage: mean_pixel.py --brokers HOST:PORT --topic NAME [--timeout SECONDS]

Reads the topic from its beginning to its present end. One JSON line a frame: {"camera", "id", "meanPixel"}.
"""

import argparse
import json

import pictures
import records
from topic import Topic


def emit(gop):
    for record, frame in pictures.decode(gop) if gop else []:
        print(json.dumps({"camera": record.camera, "id": record.id, "meanPixel": pictures.mean(record, frame)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", default="cameras")
    parser.add_argument("--timeout", default=60, type=int)
    options = parser.parse_args()
    gops = {}
    topic = Topic(options.brokers, options.topic, timeout=options.timeout)
    for message in topic:
        record, problems = records.parse(message, topic.partitions)
        if record is None:
            raise SystemExit(f"mean_pixel: {problems[0]}")
        if record.keyframe:
            emit(gops.pop(record.source, []))
            gops[record.source] = []
        if record.source in gops:
            gops[record.source].append(record)
    for gop in gops.values():
        emit(gop)


if __name__ == "__main__":
    main()
