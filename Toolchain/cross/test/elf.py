"""What the board's binary is, read from its bytes by readelf of the cross toolchain."""

import hashlib
import pathlib
import re
import subprocess

LARGEST = 25_000_000


class Binary:
    def __init__(self, path, readelf):
        self.path = pathlib.Path(path)
        self.readelf = readelf

    def read(self, *options):
        return subprocess.run(
            [self.readelf, "-W", *options, self.path], check=True, capture_output=True, text=True
        ).stdout

    def segments(self):
        """Type and flags of each program header."""
        rows = re.findall(r"^  ([A-Z_]+) +0x\S+ 0x\S+ 0x\S+ 0x\S+ 0x\S+ ([RWE ]{3}) ", self.read("-l"), re.MULTILINE)
        return [(kind, flags.replace(" ", "")) for kind, flags in rows]

    def build_id(self):
        return re.search(r"Build ID: ([0-9a-f]{40})", self.read("-n")).group(1)

    def is_static(self):
        kinds = [kind for kind, _ in self.segments()]
        assert "AArch64" in self.read("-h")
        assert "LOAD" in kinds and "INTERP" not in kinds, kinds
        assert "NEEDED" not in self.read("-d")
        return "static-pie" if "FLAGS_1" in self.read("-d") and "PIE" in self.read("-d") else "static"

    def is_hardened(self):
        segments = dict(self.segments())
        assert segments["GNU_STACK"] == "RW", "the stack is executable"
        assert "GNU_RELRO" in segments and "BIND_NOW" in self.read("-d"), "relocations stay writable"
        assert not [flags for kind, flags in self.segments() if kind == "LOAD" and {"W", "E"} <= set(flags)]
        assert re.search(r"__stack_chk_fail$", self.debug().read("-s"), re.MULTILINE), "no stack protector"
        return "relro, now, nx, stack protector"

    def is_small(self):
        size = self.path.stat().st_size
        assert size <= LARGEST, f"{size} bytes, at most {LARGEST}"
        return f"{size / 1e6:.1f} MB"

    def is_the_same_as(self, other):
        mine, theirs = (hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest() for path in (self.path, other))
        assert mine == theirs, f"{self.path} and {other} differ"
        return f"the same bytes, {mine[:12]}"

    def debug(self):
        return Binary(f"{self.path}.debug", self.readelf)

    def has_symbols_beside_it(self):
        assert self.build_id() == self.debug().build_id()
        assert ".symtab" not in self.read("-S") and ".debug_line" in self.debug().read("-S")
        return self.build_id()[:12]

    def knows_no_machine(self, *places):
        found = [place for place in places if place.encode() in self.path.read_bytes()]
        assert not found, f"the binary has these paths of this machine in it: {found}"
        return "none"
