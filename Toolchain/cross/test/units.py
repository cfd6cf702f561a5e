"""The unit tests, run on the board's kind of processor under emulation, and the same on the desk."""

import os
import re
import subprocess

SUMMARY = re.compile(r"Test run with (\d+) tests?(?: in \d+ suites?)? (passed|failed) after ([0-9.]+) seconds")


def test(command, module):
    """Runs the tests of one module, a few of their random lives; how many passed, and how long they took."""
    words = [*command, "--testing-library", "swift-testing", "--filter", rf"^{module}Tests\."]
    result = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "CAMGATE_SEEDS": "5"})
    match = SUMMARY.search(result.stdout + result.stderr)
    assert match and match[2] == "passed" and result.returncode == 0, (
        f"exit {result.returncode}: {result.stdout[-8000:]}{result.stderr[-8000:]}"
    )
    assert int(match[1]) > 0, f"no test of {module} was found"
    return f"{match[1]} tests, {float(match[3]):.1f} s"
