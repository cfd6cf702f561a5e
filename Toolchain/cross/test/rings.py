"""Rings go from one kind of machine to the other: both write the same bytes, and each verifies what the other wrote."""

import filecmp
import json
import os
import pathlib


def write(writer, path):
    """`writer` runs RingBench."""
    path.mkdir()
    writer.run("sample", str(path))


def verify(reader, path):
    """`camgate ring verify`: how many records are sound; all of them have to be."""
    found = json.loads(reader.run("ring", "verify", "--json", str(path))[0])
    assert found["sound"] > 1000 and found["damaged"] == 0 and not found["findings"], found
    return found["sound"]


def damage(path):
    """Turns over one bit in the middle of a segment."""
    with open(sorted(path.glob("segment-*"))[0], "r+b") as segment:
        segment.seek(os.fstat(segment.fileno()).st_size // 2)
        byte = segment.read(1)[0]
        segment.seek(-1, os.SEEK_CUR)
        segment.write(bytes([byte ^ 1]))


def test(board, desk, directory):
    """`board` and `desk` are pairs: what runs camgate, and what runs RingBench."""
    paths = [pathlib.Path(directory) / f"ring-{name}" for name in ("board", "desk")]
    for path, (_, writer) in zip(paths, (board, desk), strict=True):
        write(writer, path)
    names = sorted(file.name for file in paths[0].iterdir())
    _, differing, missing = filecmp.cmpfiles(*paths, names, shallow=False)
    assert not differing and not missing and names == sorted(file.name for file in paths[1].iterdir()), (
        f"differing: {differing}, missing: {missing}"
    )
    counts = verify(desk[0], paths[0]), verify(board[0], paths[1])
    assert counts[0] == counts[1], counts
    damage(paths[1])
    board[0].run("ring", "verify", str(paths[1]), status=1)
    return f"{counts[0]} records in {len(names)} files, the same bytes"
