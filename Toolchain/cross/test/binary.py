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

import kafka_tls  # noqa: E402
import parts  # noqa: E402
import pins  # noqa: E402
import rtsps  # noqa: E402
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


def licences(target, board):
    libraries = parts.by_library(f"{board}.map", target.run("version", "--licenses")[0])
    return f"{len(libraries)} libraries, all known"


def tests(options, directory):
    """Pairs of a name and a function of a target and its rtsps program; and those of the board's file alone."""
    symbols = {"board": f"{options.board}.debug", "desk": options.desk}
    everywhere = [
        ("camgate version", lambda target, _: version(target)),
        ("camgate check, the sample", lambda target, _: check(target, options.root)),
        ("camgate check, a broken file", lambda target, _: check_broken(target, directory)),
        ("camgate demo --seconds 10", lambda target, _: demo(target)),
        ("names", lambda target, _: names(target)),
        ("Kafka over TLS, wrong ones refused", lambda target, _: kafka_over_tls(target)),
        ("crash, backtrace, symbolize", lambda target, _: crash(target, symbols[target.name], options.root)),
        ("rtsps, wrong ones refused", lambda _, program: f"{rtsps.test(program, directory)} cases"),
    ]
    board = Binary(options.board, options.readelf)
    alone = [
        ("static, no INTERP, no NEEDED", board.is_static),
        ("hardening", board.is_hardened),
        ("build id, symbols beside it", board.has_symbols_beside_it),
        ("paths of this machine in it", lambda: board.knows_no_machine(options.root, str(pathlib.Path.home()))),
        ("licences of all archives in it", lambda: licences(Target("board", [EMULATOR, options.board]), options.board)),
        ("built elsewhere, on a poisoned desk", lambda: board.is_the_same_as(options.again)),
        ("pins", lambda: pins.test(directory, f"{options.root}/Toolchain/cross/inputs.lock")),
        ("stripped, at most 25 MB", board.is_small),
    ]
    return everywhere, alone


def attempt(function, *arguments):
    """Whether it passed, and its figure or its complaint."""
    try:
        return True, function(*arguments)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return False, "FAILED"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--board", "--again", "--desk", "--rtsps-board", "--rtsps-desk", "--readelf", "--root"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    board = Target("board", [EMULATOR, options.board]), Target("rtsps", [EMULATOR, options.rtsps_board])
    desk = Target("desk", [options.desk]), Target("rtsps", [options.rtsps_desk])
    rows = []
    with tempfile.TemporaryDirectory(prefix="camgate-test-arm-") as directory:
        everywhere, alone = tests(options, directory)
        for name, function in alone:
            rows.append((name, attempt(function), (True, "")))
        for name, function in everywhere:
            print(f"camgate: {name}", file=sys.stderr, flush=True)
            rows.append((name, attempt(function, *board), attempt(function, *desk)))
    print(f"{'':38}{'arm64, emulated':42}x86-64")
    for name, (_, left), (_, right) in rows:
        print(f"{name:38}{left:42}{right}".rstrip())
    print()
    print(parts.table(f"{options.board}.map", board[0].run("version", "--licenses")[0]))
    results = [passed for _, *both in rows for passed, figure in both if figure]
    print(f"\n{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
