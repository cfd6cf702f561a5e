"""A disk that is not the board's: an eMMC or a USB disk with partitions of the names that the image uses.

Its settings name another gateway and its data partition has no file system, so that a board which takes it for its own
captures as that gateway, or writes to it.
"""

import hashlib
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import disk  # noqa: E402

MIB = 1 << 20
# Identifiers are made in it: another one than the image's.
SPACE = "2d0c1b6e-0d2f-5b0e-8a57-6f3c9b1de0a4"


class ForeignDisk:
    """A file in `directory`, for QEMU's `-drive`."""

    def __init__(self, directory, settings):
        directory = pathlib.Path(directory)
        self.path = directory / "foreign"
        config, data, text = directory / "foreign-config", directory / "foreign-data", directory / "foreign.yaml"
        for path, size in ((config, 16 * MIB), (data, 32 * MIB)):
            with path.open("wb") as file:
                file.truncate(size)
        text.write_text(settings)
        subprocess.run(["mformat", "-i", config, "-v", "CAMGATE", "::"], check=True)
        subprocess.run(["mcopy", "-i", config, text, "::camgate.yaml"], check=True)
        disk.write(self.path, 1, [("config", "basic", config), ("data", "linux", data)], SPACE)
        # Room behind the last partition, as on a card: growing would take it.
        with self.path.open("r+b") as file:
            file.truncate(96 * MIB)
        self.before = self.digest()

    def digest(self):
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def options(self):
        """For a machine: put before the card's, it is the first of the kernel's disks."""
        drive = f"if=none,id=foreign,format=raw,file={self.path},cache=writeback"
        return ["-drive", drive, "-device", "virtio-blk-pci,drive=foreign"]

    def check(self):
        """Throws when a byte of it has changed."""
        assert self.digest() == self.before, "the board wrote to a disk that is not its own"
