"""What the board's binary is made of, from the linker's map: which archives, how many bytes of each, whose licence."""

import collections
import fnmatch
import pathlib
import re

ROW = re.compile(r"\s*[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+ (\s*)(.*)")
# Not in the stripped file: zeros, and what --strip-all drops.
ABSENT = (".debug", ".symtab", ".strtab", ".shstrtab", ".bss", ".tbss", ".comment")


def sizes(path):
    """Bytes in the file by archive; Camgate's and its packages' own objects by module."""
    counts = collections.Counter()
    section = ""
    with open(path) as lines:
        for match in filter(None, map(ROW.match, lines)):
            size, indent, text = int(match[1], 16), len(match[2]), match[3]
            if indent == 0:
                section = text
            elif indent == 8 and not section.startswith(ABSENT):
                archive = re.search(r"([^/]+\.a)\(", text)
                module = re.search(r"/([^/]+)\.build/", text)
                counts[archive[1] if archive else module[1] if module else "linker"] += size
    return counts


def owners(licenses):
    """Patterns of archive names by the library that `camgate version --licenses` says they belong to."""
    rows = [re.split(r" {2,}", line) for line in licenses.splitlines()]
    return {row[0]: row[3].split() for row in rows}


def by_library(path, licenses):
    """Bytes by library. Every archive the linker took must be of a library with a licence."""
    libraries, known = collections.Counter(), owners(licenses)
    for name, size in sizes(path).items():
        if name.endswith(".a"):
            found = [library for library, patterns in known.items() if any(fnmatch.fnmatch(name, p) for p in patterns)]
            assert found, f"{name} is in the binary, but camgate version --licenses does not know it"
            libraries[found[0]] += size
        elif name.startswith("ArgumentParser"):
            libraries["swift-argument-parser"] += size
        else:
            libraries["linker's tables" if name == "linker" else "Camgate"] += size
    unused = set(known) - set(libraries)
    assert not unused, f"camgate version --licenses names what is not in the binary: {unused}"
    return libraries


def table(path, licenses):
    size = pathlib.Path(path).with_suffix("").stat().st_size
    lines = [f"{'':38}MB     share"]
    for library, count in by_library(path, licenses).most_common():
        lines.append(f"{library:38}{count / 1e6:<7.2f}{100 * count / size:.0f} %")
    return "\n".join(lines)
