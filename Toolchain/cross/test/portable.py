#!/usr/bin/env python3
"""Prints Camgate's manifest with only the unit tests of some modules, and what these need.

usage: portable.py MANIFEST MODULE...
"""

import pathlib
import re
import sys

TARGET = re.compile(r"\.(?:systemLibrary|target|executableTarget|testTarget)\(")


def targets(manifest):
    """The text of each target by its name."""
    found = {}
    for start in TARGET.finditer(manifest):
        depth, end = 1, start.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(manifest[end], 0)
            end += 1
        text = manifest[start.start() : end]
        found[re.search(r'name: "(\w+)"', text).group(1)] = text
    return found


def main():
    known = targets(pathlib.Path(sys.argv[1]).read_text())
    wanted, waiting = set(), [f"{module}Tests" for module in sys.argv[2:]]
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting += [other for other in re.findall(r'"(\w+)"', known[name]) if other in known and other not in wanted]
    print("// swift-tools-version: 6.0\nimport PackageDescription\n")
    texts = ", ".join(text for name, text in known.items() if name in wanted)
    print(f'let package = Package(name: "camgate", targets: [{texts}])')


if __name__ == "__main__":
    main()
