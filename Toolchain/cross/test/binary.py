#!/usr/bin/env python3
"""Tests of the board's binary itself under emulation, each beside the same on the desk, and a table at the end.

usage: binary.py OPTIONS      all of them are needed: --help; Toolchain/dev test --arm gives them
"""

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "testbed"))

import cache  # noqa: E402
import kafka_tls  # noqa: E402
import packages  # noqa: E402
import parts  # noqa: E402
import pins  # noqa: E402
import rings  # noqa: E402
import rtsps  # noqa: E402
import units  # noqa: E402
from elf import Binary  # noqa: E402
from target import Target  # noqa: E402

EMULATOR = "qemu-aarch64-static"


def version(target):
    output, seconds, _ = target.run("version")
    assert output.startswith("camgate ") and "FFmpeg 7.1" in output and "librdkafka 2.8" in output, output
    return f"{seconds:.2f} s"


def check(target, root):
    output, seconds, _ = target.run("check", f"{root}/image/config/camgate.yaml")
    assert "cameras:" in output and "gate" in output, output
    return f"{seconds:.2f} s"


def check_broken(target, directory):
    broken = pathlib.Path(directory) / "broken.yaml"
    broken.write_text("cameras: [{name: gate, url: 'rstp://10.0.0.21/'}]\n")
    target.run("check", str(broken), status=78)
    return "exit 78"


def demo(target):
    output, seconds, memory = target.run("demo", "--seconds", "10", "--json")
    summary = json.loads(output)
    assert summary["lost"] == 0 and summary["captured"] == summary["acknowledged"] > 100, summary
    assert all(group["frames"] == summary["captured"] for group in summary["groups"]), summary
    return f"{summary['captured']} frames, none lost, {seconds:.0f} s, peak {memory:.0f} MiB"


def names(target):
    inside = ["unshare", "--net", "--mount", sys.executable, str(HERE / "names.py"), *target.command]
    Target("names", inside).run()
    return "hosts, DNS, unknown"


def kafka_over_tls(target):
    with tempfile.TemporaryDirectory(prefix="camgate-test-tls-") as directory:
        return f"{kafka_tls.test(target, directory)} frames"


def crash(target, symbols, root):
    """A gateway that gets SIGSEGV says where it was, and symbolize says where that is in the sources."""
    with target.gateway("127.0.0.1:9") as gateway:
        gateway.wait_for("streaming")
        gateway.process.send_signal(signal.SIGSEGV)
        gateway.wait_for("end of the backtrace")
        assert gateway.process.wait(60) == -signal.SIGSEGV, gateway.process.returncode
    log = "".join(gateway.lines)
    symbolize = [f"{root}/Toolchain/symbolize.sh", "--symbols", symbols]
    readable = subprocess.run(symbolize, input=log, capture_output=True, text=True, check=True).stdout
    assert "(SIGSEGV)" in readable and "Run.run()" in readable and "Run.swift:" in readable, readable
    return f"{readable.count(' +0x')} frames with names"


def describes_itself_as(board, desk):
    """All commands and options, as JSON: with the stand-in for Foundation, and with Foundation itself."""
    texts = [target.run("--experimental-dump-help")[0] for target in (board, desk)]
    assert texts[0] == texts[1] and len(json.loads(texts[0])["command"]["subcommands"]) > 5, texts
    return f"{len(texts[0])} bytes, the same"


def licences(target, board):
    libraries = parts.by_library(f"{board}.map", target.run("version", "--licenses")[0])
    return f"{len(libraries)} libraries, all known"


def everywhere(options, directory):
    """Pairs of a name and a function of a machine."""
    symbols = {"board": f"{options.board}.debug", "desk": options.desk}
    rows = [
        ("camgate version", lambda machine: version(machine.camgate)),
        ("camgate check, the sample", lambda machine: check(machine.camgate, options.root)),
        ("camgate check, a broken file", lambda machine: check_broken(machine.camgate, directory)),
        ("camgate demo --seconds 10", lambda machine: demo(machine.camgate)),
        ("names", lambda machine: names(machine.camgate)),
        ("Kafka over TLS, wrong ones refused", lambda machine: kafka_over_tls(machine.camgate)),
        ("crash, backtrace, symbolize", lambda machine: crash(machine.camgate, symbols[machine.name], options.root)),
        ("rtsps, wrong ones refused", lambda machine: f"{rtsps.test(machine.rtsps, directory)} cases"),
    ]
    for module in options.modules.split():
        rows.append((f"unit tests of {module}", lambda machine, module=module: units.test(machine.units, module)))
    return rows


def alone(options, directory, board, desk):
    """Pairs of a name and a function: what is tested of the board's file by itself, or of both together."""
    file = Binary(options.board, options.readelf)
    home = str(pathlib.Path.home())
    both = [(machine.camgate, machine.ringbench) for machine in (board, desk)]
    return [
        ("static, no INTERP, no NEEDED", file.is_static),
        ("hardening", file.is_hardened),
        ("build id, symbols beside it", file.has_symbols_beside_it),
        ("paths of this machine in it", lambda: file.knows_no_machine(options.root, home)),
        ("licences of all archives in it", lambda: licences(board.camgate, options.board)),
        ("built elsewhere, on a poisoned desk", lambda: file.is_the_same_as(options.again)),
        ("pins", lambda: pins.test(directory, f"{options.root}/Toolchain/cross/inputs.lock")),
        ("packages", lambda: packages.test(directory, options.root)),
        ("cache", lambda: cache.test(directory)),
        ("stripped, at most 25 MB", file.is_small),
        ("commands and options as on the desk", lambda: describes_itself_as(board.camgate, desk.camgate)),
        ("rings written on one, read on the other", lambda: rings.test(*both, directory)),
    ]


class Machine:
    """The programs of the board, under emulation, or those of the desk."""

    def __init__(self, name, programs, emulator, units):
        self.name = name
        self.units = units.split()
        self.camgate, self.ringbench, self.rtsps = (Target(name, [*emulator, program]) for program in programs)


def attempt(function, *arguments):
    """Whether it passed, and its figure or its complaint."""
    try:
        return True, function(*arguments)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return False, "FAILED"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("board", "desk"):
        parser.add_argument(f"--{name}", required=True, help="camgate")
        parser.add_argument(f"--ringbench-{name}", required=True)
        parser.add_argument(f"--rtsps-{name}", required=True)
        parser.add_argument(f"--units-{name}", required=True, help="the command that runs the unit tests")
    for name in ("--again", "--modules", "--readelf", "--root"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    board = Machine(
        "board", [options.board, options.ringbench_board, options.rtsps_board], [EMULATOR], options.units_board
    )
    desk = Machine("desk", [options.desk, options.ringbench_desk, options.rtsps_desk], [], options.units_desk)
    rows = []
    with tempfile.TemporaryDirectory(prefix="camgate-test-arm-") as directory:
        for name, function in alone(options, directory, board, desk):
            rows.append((name, attempt(function), (True, "")))
        for name, function in everywhere(options, directory):
            print(f"camgate: {name}", file=sys.stderr, flush=True)
            rows.append((name, attempt(function, board), attempt(function, desk)))
    print(f"{'':38}{'arm64, emulated':42}x86-64")
    for name, (_, left), (_, right) in rows:
        print(f"{name:38}{left:42}{right}".rstrip())
    print()
    print(parts.table(f"{options.board}.map", board.camgate.run("version", "--licenses")[0]))
    results = [passed for _, *both in rows for passed, figure in both if figure]
    print(f"\n{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
