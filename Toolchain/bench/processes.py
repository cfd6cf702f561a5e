#!/usr/bin/env python3
"""What a process for each camera would cost: as many gateways with one camera each, beside one with all.

usage: processes.py [--cameras N] [--seconds N] [--rounds N] [--json]

`Toolchain/dev bench processes` sets CAMGATE.

The cameras and the broker are those of capture.py, and all gateways run at the same time. Each round is a start of its
own; the figures are medians, with the smallest and the largest.
  memory_mib   Pss of all processes (proc_pid_smaps(5): a page that several have counts in parts), at the end
  wakeups      voluntary context switches of all threads a second (proc_pid_status(5))
  cpu_percent  user and system time
A process that only captures would have no Kafka client and no buffer, which a gateway has; but it would hand each frame
to another one, which a gateway does not.
"""

import argparse
import json
import pathlib
import re
import statistics
import sys
import tempfile
import time

from capture import PARTITIONS, STOP_SECONDS, Bench, cpu_seconds, say


def pss_bytes(process):
    text = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)[1]) << 10


def wakeups(process):
    """Of the threads that there are now; a gateway's threads last."""
    statuses = [task.read_text() for task in pathlib.Path(f"/proc/{process.pid}/task").glob("*/status")]
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)[1]) for text in statuses)


class Processes(Bench):
    def run(self):
        _, found = self.server("cameras", "--protocols", "tcp", f"cam*{self.options.cameras}=h264")
        _, address = self.server("broker", "--topic", f"cameras:{PARTITIONS}")
        urls, brokers = found["urls"], address["brokers"]
        groups = {
            "threads": [self.start_gateway(urls, brokers)],
            "processes": [self.start_gateway({name: url}, brokers, f"only-{name}") for name, url in urls.items()],
        }
        gateways = [process for group in groups.values() for process in group]
        self.wait_until_streaming(len(groups) * len(urls), *gateways)
        before = {name: measure(group) for name, group in groups.items()}
        started = time.monotonic()
        time.sleep(self.options.seconds)
        after = {name: measure(group) for name, group in groups.items()}
        seconds = time.monotonic() - started
        memory = {name: sum(map(pss_bytes, group)) for name, group in groups.items()}
        for process in gateways:
            process.terminate()
        if any([process.wait(STOP_SECONDS) for process in gateways]):
            raise SystemExit(f"bench: a gateway ended badly\n{self.log}")
        return {
            name: {
                "memory_mib": memory[name] / 2**20,
                "wakeups": (after[name][0] - before[name][0]) / seconds,
                "cpu_percent": 100 * (after[name][1] - before[name][1]) / seconds,
            }
            for name in groups
        }


def measure(group):
    return sum(map(wakeups, group)), sum(map(cpu_seconds, group))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", default=8, type=int)
    parser.add_argument("--seconds", default=30, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds = []
    for number in range(options.rounds):
        say(f"round {number + 1}: {options.cameras} cameras as threads of a gateway, and each in one of its own")
        with tempfile.TemporaryDirectory(prefix="camgate-bench-") as directory:
            bench = Processes(options, directory)
            with bench.processes:
                rounds.append(bench.run())
    figures = {}
    for name in rounds[0]:
        for figure in rounds[0][name]:
            values = [found[name][figure] for found in rounds]
            spread = statistics.median(values), min(values), max(values)
            figures[f"{name}_{figure}"] = [round(value, 1) for value in spread]
    for name, (median, *spread) in figures.items():
        print(f"{name:24}{median:10}   {spread}", file=sys.stderr)
    if options.json:
        print(json.dumps({"bench": "processes", "figures": figures}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
