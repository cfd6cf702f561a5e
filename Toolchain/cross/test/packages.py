"""Swift's packages are built only from the files that the lock file names: one changed byte in them is refused."""

import os
import pathlib
import shutil
import subprocess

CROSS = pathlib.Path(__file__).parents[1]
CHECK = '. "$0/common.sh" && . "$0/swiftpm.sh" && check_packages "$1"'


def checked(scratch, lock):
    """What the check that comes before a build for the board says of the packages in `scratch`."""
    command = ["bash", "-euo", "pipefail", "-c", CHECK, CROSS, scratch]
    environment = {**os.environ, "LOCK": str(lock)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    return result.returncode, result.stderr


def test(directory, root):
    lock = pathlib.Path(root) / "Toolchain/cross/inputs.lock"
    scratch = pathlib.Path(directory) / "packages"
    place = scratch / "checkouts/swift-argument-parser"
    shutil.copytree(pathlib.Path(root) / ".build-arm64/checkouts/swift-argument-parser", place)
    assert checked(scratch, lock) == (0, ""), checked(scratch, lock)

    source = place / "Sources/ArgumentParser/Parsing/SplitArguments.swift"
    text = source.read_bytes()
    source.write_bytes(text.replace(b"}", b" }", 1))
    status, said = checked(scratch, lock)
    assert status != 0 and "swift-argument-parser 1.8.2: other files than" in said, said
    source.write_bytes(text)
    (place / "Sources/ArgumentParser/More.swift").write_text("// more\n")
    assert checked(scratch, lock)[0] != 0
    (place / "Sources/ArgumentParser/More.swift").unlink()
    assert checked(scratch, lock)[0] == 0

    # A package that nobody has pinned.
    unpinned = pathlib.Path(directory) / "unpinned.lock"
    rows = lock.read_text().splitlines(keepends=True)
    unpinned.write_text("".join(row for row in rows if not row.startswith("package")))
    status, said = checked(scratch, unpinned)
    assert status != 0 and "swift-argument-parser: no sum" in said, said
    return "2 changed and 1 unpinned refused"
