#!/usr/bin/env python3
"""An ext4 file system on a disk that fails on command (blockdevice.py below a loop device), for a gateway's ring.

usage: disk.py DIRECTORY [--mib N]

Needs root, and should run in a mount namespace of its own: what it mounts goes with that. Prints
`READY {"directory": …}`, the mount point. Ends when standard input ends. Commands on standard input, each answered by
a line `OK …` or `ERROR …`; FILE is a name in the ring's directory `ring`:
  read-eio all | FILE | FILE OFFSET BYTES   reads fail with EIO: everywhere, in one file, in these bytes of it
  write-eio all        writes fail with EIO           sync-eio             flushes fail with EIO
  sync-delay SECONDS   flushes take so long           lie                  writes and flushes are reported, not done
  heal                 all of this ends
  forget               the page cache lets go of the ring's files, so that they are read from the disk
  fill                 another file takes all that is free on the file system
  abort                ext4 behaves as after a failed write of its journal: read-only
  remount              unmounted and mounted again; nobody may have files open on it
  unplug               the disk is gone (the FUSE server ends)
  plug                 it is back, and mounted again at the same place
"""

import argparse
import array
import contextlib
import fcntl
import json
import os
import pathlib
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
FS_IOC_FIEMAP = 0xC020660B  # linux/fs.h
FIEMAP_FLAG_SYNC = 1
EXTENT_LIMIT = 64


def run(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def extents(path):
    """Where the bytes of a file lie on the device: (offset in the file, offset on the device, bytes)."""
    request = struct.pack("=QQIIII", 0, 0xFFFFFFFFFFFFFFFF, FIEMAP_FLAG_SYNC, 0, EXTENT_LIMIT, 0)
    buffer = array.array("B", request + bytes(56 * EXTENT_LIMIT))
    with open(path, "rb") as file:
        fcntl.ioctl(file, FS_IOC_FIEMAP, buffer)
    count = struct.unpack_from("=I", buffer, 20)[0]
    return [struct.unpack_from("=QQQ", buffer, 32 + 56 * index) for index in range(count)]


class Disk:
    """The device, the loop device and the mount."""

    def __init__(self, directory, mebibytes):
        self.directory = pathlib.Path(directory)
        self.backing = self.directory / "backing"
        self.mountpoint = self.directory / "mount"
        self.mountpoint.mkdir()
        with self.backing.open("wb") as file:
            file.truncate(mebibytes << 20)
        # Made before the device can fail, and quicker so.
        run("mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0", "-m", "0", self.backing)
        self.plugged = 0
        self.plug()

    @property
    def ring(self):
        return self.mountpoint / "ring"

    def plug(self):
        self.plugged += 1
        self.device = self.directory / f"device-{self.plugged}"
        self.device.mkdir()
        self.server = subprocess.Popen(
            ["/usr/bin/python3", HERE / "blockdevice.py", self.backing, self.device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        while not (self.device / "disk").exists():
            if self.server.poll() is not None:
                raise RuntimeError("blockdevice.py did not start")
            time.sleep(0.01)
        self.mount()

    def mount(self):
        run("mount", "-t", "ext4", "-o", "loop,noatime", self.device / "disk", self.mountpoint)

    def unplug(self):
        self.server.kill()
        self.server.wait()
        run("umount", "--lazy", self.device)

    def tell(self, text):
        self.server.stdin.write(text + "\n")
        self.server.stdin.flush()
        if self.server.stdout.readline().strip() != "OK " + text:
            raise RuntimeError(f"blockdevice.py: no answer to {text!r}")

    def read_eio(self, what, offset=0, count=1 << 62):
        if what == "all":
            return self.tell("read-eio 0 -1")
        first, end = int(offset), int(offset) + int(count)
        for logical, physical, length in extents(self.ring / what):
            low, high = max(first, logical), min(end, logical + length)
            if low < high:
                self.tell(f"read-eio {physical + low - logical} {physical + high - logical - 1}")

    def forget(self):
        with contextlib.suppress(OSError):
            for path in self.ring.iterdir():
                with contextlib.suppress(OSError), path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def fill(self):
        with open(self.mountpoint / "other", "wb", buffering=0) as file, contextlib.suppress(OSError):
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def obey(self, line):
        verb, *words = line.split()
        actions = {
            "read-eio": lambda: self.read_eio(*words),
            "write-eio": lambda: self.tell("write-eio 0 -1"),
            "forget": self.forget,
            "fill": self.fill,
            "abort": lambda: run("mount", "-o", "remount,abort", self.mountpoint),
            "remount": lambda: (run("umount", self.mountpoint), self.mount()),
            "unplug": self.unplug,
            "plug": lambda: (run("umount", "--lazy", self.mountpoint), self.plug()),
        }
        for name in ("sync-eio", "sync-delay", "lie", "heal"):
            actions[name] = lambda: self.tell(line)
        try:
            actions[verb]()
        except (KeyError, OSError, RuntimeError, TypeError, ValueError, subprocess.CalledProcessError) as error:
            return f"ERROR {line}: {error}"
        return f"OK {line}"

    def end(self):
        for place in (self.mountpoint, self.device):
            subprocess.run(["umount", "--lazy", place], check=False, stderr=subprocess.DEVNULL)
        self.server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--mib", default=64, type=int)
    options = parser.parse_args()
    disk = Disk(options.directory, options.mib)
    try:
        disk.ring.mkdir()
        print("READY " + json.dumps({"directory": str(disk.ring)}), flush=True)
        for line in sys.stdin:
            print(disk.obey(line.strip()), flush=True)
    finally:
        disk.end()


if __name__ == "__main__":
    main()
