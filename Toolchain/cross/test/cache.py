"""The cache of the cross toolchain: whole or not at all and made once, whatever is killed or runs beside."""

import os
import pathlib
import signal
import subprocess
import time

COMMON = pathlib.Path(__file__).parents[1] / "common.sh"
# Makes a directory of two files, with a pause between them that ends when the file "go" appears.
SCRIPT = f"""
set -euo pipefail
. {COMMON}
make_it() {{
  echo made >>"$CACHE/log"
  echo 1 >"$PART/one"
  until [ -f "$CACHE/go" ]; do sleep 0.05; done
  echo 2 >"$PART/two"
}}
keep piece "$(hash_of "$1" "$1")" make_it
"""


class Cache:
    def __init__(self, directory):
        self.path = pathlib.Path(directory) / "cache"
        self.inputs = pathlib.Path(directory) / "input"
        self.root = self.path / "camgate"
        self.root.mkdir(parents=True)

    def start(self, text):
        self.inputs.write_text(text)
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.path)}
        return subprocess.Popen(
            ["bash", "-c", SCRIPT, "bash", str(self.inputs)], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, start_new_session=True)  # fmt: skip

    def made(self):
        log = self.root / "log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def wait_until_made(self, times):
        while self.made() < times:
            time.sleep(0.02)


def result(process):
    path = pathlib.Path(process.communicate(timeout=60)[0].strip())
    assert process.returncode == 0 and sorted(file.name for file in path.iterdir()) == ["one", "two"], path
    return path


def test(directory):
    cache = Cache(directory)
    killed = cache.start("a")
    cache.wait_until_made(1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    pieces = [path for path in (cache.root / "cross").glob("piece-*") if path.suffix != ".part"]
    assert not pieces, f"half a piece is used: {pieces}"

    several = [cache.start("a") for _ in range(3)]
    cache.wait_until_made(2)
    (cache.root / "go").touch()
    paths = {result(process) for process in several}
    assert len(paths) == 1 and cache.made() == 2, f"{paths} made {cache.made()} times"
    assert result(cache.start("a")) in paths and cache.made() == 2, "made again"
    assert result(cache.start("b")) not in paths and cache.made() == 3, "another input gave the same piece"
    return "killed, 3 at once, another input"
