"""How far inputs may move when a pinned one is gone: fetch.sh with lock files that pin what no mirror has."""

import os
import pathlib
import secrets
import subprocess

FETCH = pathlib.Path(__file__).parents[1] / "fetch.sh"


class Lock:
    """A copy of the lock file's lines for the libraries, changed, and what fetch.sh makes of it."""

    def __init__(self, directory, lock):
        self.path = pathlib.Path(directory) / "inputs.lock"
        rows = (line.split() for line in pathlib.Path(lock).read_text().splitlines() if line.startswith("library"))
        self.rows = {row[1]: row for row in rows}

    def fetch(self, changes, locked=""):
        """`changes` are of FFmpeg's and librdkafka's columns: {name: {column: text}}."""
        rows = {name: list(row) for name, row in self.rows.items()}
        for name, columns in changes.items():
            for column, text in columns.items():
                rows[name][column] = text
        self.path.write_text("".join(" ".join(row) + "\n" for row in rows.values()))
        environment = {**os.environ, "LOCK": str(self.path), "LOCKED": locked}
        return subprocess.run([FETCH, "library"], env=environment, capture_output=True, text=True)


MOVES, VERSION, SHA, PATH = 3, 4, 5, 6
NONE = secrets.token_hex(32)  # another one each time: what a lock file was resolved to is remembered


def gone(name, version):
    """A pin of a version that no mirror has."""
    return {VERSION: version, SHA: NONE, PATH: f"main:pool/main/{name[0]}/{name}/{name}_{version}.orig.tar.xz"}


def test(directory, lock):
    pins = Lock(directory, lock)
    current = pins.rows["ffmpeg"]

    moved = pins.fetch({"ffmpeg": gone("ffmpeg", "7.1.0")})
    assert moved.returncode == 0 and f"7.1.0 is gone from the mirror, taking {current[VERSION]}" in moved.stderr, moved
    contents = pathlib.Path(moved.stdout.strip()).read_text()
    assert current[SHA] in contents and NONE not in contents, contents

    refusals = [
        ("--locked", {"ffmpeg": gone("ffmpeg", "7.1.1")}, "1", "--locked allows no other"),
        ("another series", {"ffmpeg": {**gone("ffmpeg", "7.0.9"), MOVES: "7.0"}}, "", "ffmpeg must stay 7.0"),
        ("never", {"librdkafka": gone("librdkafka", "2.7.0")}, "", "librdkafka must stay 2.7.0"),
        ("changed file", {"ffmpeg": {SHA: NONE}}, "", "another file under the same version"),
    ]
    for what, changes, locked, complaint in refusals:
        result = pins.fetch(changes, locked)
        assert result.returncode != 0 and complaint in result.stderr, f"{what}: {result}"
    return f"1 moved, {len(refusals)} refused"
