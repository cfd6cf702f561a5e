#!/usr/bin/env python3
"""What the disk ring costs: appending beside a bare loop, bytes written per byte kept, opening a large ring.

usage: ring.py [--json] [--directory DIR]     (by `Toolchain/dev bench ring`, which sets RINGBENCH)

append  median of 31 rounds; the bare loop writes the same pieces with the same sync points, without checksums, to
        files of its own, by turns before and behind each
bytes   write_bytes of the process (proc_pid_io(5)); what the filesystem's journal writes is not in it
large   64 lanes with a record each in every segment; files without blocks for zeros. Opened: 64 GiB beside 256 MiB,
        seconds (warm, the median of five) and bytes asked for. 16,384 segments beside 64 (of 4 MiB): how the time of
        one `next`, far from the beginning, grows with their number (an exponent), and the largest memory of the process
open    8 GiB and 256 MiB, both full with a half-full open segment, the cache warm: the median of five; the cold figure
        beside it (the pages of the files dropped with posix_fadvise)
The table goes to standard error; with --json the last line of standard output is a JSON object.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

GOALS = {
    "append_ratio": ("at least", 0.9),
    "write_amplification": ("at most", 1.03),
    "open_8gib_seconds": ("at most", 1.0),
    "open_ratio": ("at most", 3.0),
    "cursor_writes_per_second": ("at most", 1.0),
    "open_64gib_ratio": ("at most", 10.0),
    "open_read_mib": ("at most", 64.0),
    "next_exponent_segments": ("at most", 0.1),
    "rss_mib_16384_segments": ("at most", 64.0),
}


def run(*arguments):
    """Runs the bench program; the object it prints, if it does."""
    words = [os.environ["RINGBENCH"], *map(str, arguments)]
    output = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output) if output else {}


def opening(directory, mebibytes):
    """Seconds for opening a full ring: warm, cold."""
    path = directory / f"ring-{mebibytes}"
    path.mkdir()
    run("fill", path, mebibytes)
    warm = [run("open", path, mebibytes)["seconds"] for _ in range(6)][1:]
    for file in path.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    cold = run("open", path, mebibytes)["seconds"]
    shutil.rmtree(path)
    return statistics.median(warm), cold


def large(directory, segments, mebibytes):
    """The median figures of a ring of so many segments of so many MiB, warm."""
    path = directory / f"ring-{segments}"
    path.mkdir()
    run("fill-large", path, segments, mebibytes)
    rounds = [run("open-large", path, segments, mebibytes) for _ in range(6)][1:]
    shutil.rmtree(path)
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def measure_large(directory):
    """What grows with the size of a ring, and must not."""
    small, whole = large(directory, 8, 32), large(directory, 2048, 32)
    few, many = large(directory, 64, 4), large(directory, 16384, 4)
    growth = math.log(many["next_microseconds"] / few["next_microseconds"]) / math.log(16384 / 64)
    return {
        "open_64gib_seconds": round(whole["seconds"], 4),
        "open_64gib_ratio": round(whole["seconds"] / small["seconds"], 2),
        "open_read_mib": round(whole["read_mib"], 1),
        "next_microseconds": round(many["next_microseconds"], 2),
        "next_exponent_segments": round(growth, 3),
        "rss_mib_16384_segments": round(many["rss_mib"], 1),
    }


def measure(directory):
    """All figures."""
    appended = run("append", directory)
    for file in directory.iterdir():
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    small, _ = opening(directory, 256)
    large, cold = opening(directory, 8192)
    return {
        "append_ratio": round(appended["append_ratio"], 3),
        "append_mb_per_second": round(appended["append_mb_per_second"], 1),
        "write_amplification": round(appended["write_amplification"], 4),
        "open_8gib_seconds": round(large, 4),
        "open_8gib_cold_seconds": round(cold, 4),
        "open_256mib_seconds": round(small, 4),
        "open_ratio": round(large / small, 2),
        "cursor_writes_per_second": round(appended["cursor_writes_per_second"], 2),
        **measure_large(directory),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--directory", help="a directory on the disk to be measured (9 GiB)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="camgate-bench-", dir=options.directory) as directory:
        figures = measure(pathlib.Path(directory))
    for name, value in figures.items():
        goal = " (goal: {} {})".format(*GOALS[name]) if name in GOALS else ""
        print(f"bench: {name:26} {value}{goal}", file=sys.stderr)
    if options.json:
        print(json.dumps({"bench": "ring", "figures": figures}))


if __name__ == "__main__":
    main()
