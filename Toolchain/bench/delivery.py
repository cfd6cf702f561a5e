#!/usr/bin/env python3
"""What delivery costs, beside a bare loop around librdkafka with the same records and settings, on the same broker.

usage: delivery.py [--sandbox] [--json]     (by `Toolchain/dev bench delivery`, which sets DELIVERYBENCH)

catch_up_ratio   a backlog on disk (1,500 frames of 48 KiB, 4 cameras), bytes a second beside the bare loop's: median
                 of eleven rounds each, in turns
rate_cap_error   how far catching up with max_rate 16 Mbit/s was off it, over 8 s
live_p99_ms      live-first on an uplink of 32 Mbit/s while a backlog goes out: 4 cameras, 25 frames of 8 KiB a second,
                 from the frame in memory to its acknowledgement; live_bare_p99_ms: the same frames from the bare loop,
                 over that uplink, with no backlog
added_p50_ms     the same in health, without a backlog and without a slow uplink; bare_… is the bare loop's, from the
added_p99_ms     call that queues a record to its delivery report
With --sandbox instead: catching up and health without the gateway's sandbox (off_…) and in it (on_…), in turns, a
figure for each of three rounds.
The table goes to standard error; with --json the last line of standard output is a JSON object.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "testbed"))
from tool import Tool  # noqa: E402  (the test bench lies beside)

UPLINK_BYTES = 4_000_000
ROUNDS = 3
GOALS = {"catch_up_ratio": 0.9, "live_p99_ms": 500, "rate_cap_error": 0.05}


def measure(command, brokers, directory, more=()):
    """One command of the bench program, on a topic and in a directory of its own, which takes gigabytes."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        words = [os.environ["DELIVERYBENCH"], command, brokers, place, command, *more]
        output = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output)


def run(directory):
    broker = Tool(
        "broker", *(word for name in ("catch-up", "cap", "live", "health") for word in ("--topic", f"{name}:4"))
    )
    proxy = Tool("proxy", broker.ready["port"], "--kafka")
    try:
        brokers = broker.ready["brokers"]
        health = measure("health", brokers, directory)
        catch_up = measure("catch-up", brokers, directory)
        cap = measure("cap", brokers, directory)
        proxy.command(f"rate {UPLINK_BYTES}")
        live = measure("live", f"127.0.0.1:{proxy.ready['port']}", directory)
    finally:
        proxy.end()
        broker.end()
    if live["backlog_left"] == 0:
        raise RuntimeError("the backlog was gone before the live frames were")
    own, bare = (statistics.median(catch_up[name]) for name in ("mb_per_second", "bare_mb_per_second"))
    return {
        "catch_up_ratio": round(own / bare, 3),
        "catch_up_mb_per_second": round(own, 1),
        "live_p50_ms": round(live["p50_ms"], 1),
        "live_p99_ms": round(live["p99_ms"], 1),
        "live_bare_p99_ms": round(live["bare_p99_ms"], 1),
        "live_frames": live["live_frames"],
        "live_mb_per_second": round(live["mb_per_second"], 2),
        "rate_cap_error": round(cap["error"], 4),
        "added_p50_ms": round(health["p50_ms"], 1),
        "added_p99_ms": round(health["p99_ms"], 1),
        "bare_p50_ms": round(health["bare_p50_ms"], 1),
        "bare_p99_ms": round(health["bare_p99_ms"], 1),
    }


def compare(directory):
    """Each figure of each round, without the sandbox and in it."""
    kinds, commands = {"off": (), "on": ("sandbox",)}, ("health", "catch-up")
    figures = {}
    for _ in range(ROUNDS):
        for kind, command in itertools.product(kinds, commands):
            # One of its own: it keeps in memory what it took.
            broker = Tool("broker", "--topic", f"{command}:4")
            try:
                found = measure(command, broker.ready["brokers"], directory, kinds[kind])
            finally:
                broker.end()
            if command == "catch-up":
                own, bare = (statistics.median(found[name]) for name in ("mb_per_second", "bare_mb_per_second"))
                found = {"catch_up_ratio": own / bare, "catch_up_mb_per_second": own}
            for name, value in found.items():
                figures.setdefault(f"{kind}_{name}", []).append(round(value, 3))
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sandbox", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="camgate-bench-") as directory:
        figures = compare(directory) if options.sandbox else run(directory)
    for name, value in figures.items():
        word = "at least" if name == "catch_up_ratio" else "at most"
        goal = f" (goal: {word} {GOALS[name]})" if name in GOALS else ""
        print(f"bench: {name:24} {value}{goal}", file=sys.stderr)
    if "bare_p99_ms" in figures:
        print(f"bench: added_p99_ms goal: at most {figures['bare_p99_ms'] + 10:.1f}", file=sys.stderr)
    if options.json:
        print(json.dumps({"bench": "delivery", "figures": figures}))


if __name__ == "__main__":
    main()
