#!/usr/bin/env python3
"""A block device that fails on command: one file, `disk`, in a FUSE mount, to stand below a loop device.

usage: blockdevice.py BACKING MOUNTPOINT

Runs with the system's Python (python3-fusepy) as root until it is ended. Commands on standard input, each answered by
`OK …`; bytes FIRST to LAST, `0 -1` for all of them:
  read-eio FIRST LAST     reads that touch these bytes fail with EIO; any number of spans
  write-eio FIRST LAST    writes likewise
  sync-eio                flushes fail with EIO
  sync-delay SECONDS      flushes take so long
  lie                     writes and flushes are reported as done and are not
  heal                    all of this ends
"""

import errno
import os
import sys
import threading
import time

from fusepy import FUSE, FuseOSError, Operations


class Faults:
    """What fails at present."""

    def __init__(self):
        self.spans = {"read-eio": [], "write-eio": []}
        self.sync_fails = self.lies = False
        self.sync_delay = 0.0

    def touches(self, name, offset, size):
        return any(offset + size > first and (last < 0 or offset <= last) for first, last in self.spans[name])

    def obey(self, line):
        verb, *values = line.split()
        if verb in self.spans:
            self.spans[verb].append((int(values[0]), int(values[1])))
        elif verb == "sync-eio":
            self.sync_fails = True
        elif verb == "sync-delay":
            self.sync_delay = float(values[0])
        elif verb == "lie":
            self.lies = True
        elif verb == "heal":
            self.__init__()
        else:
            raise SystemExit(f"blockdevice: no command {line!r}")


class Disk(Operations):
    """The file system with one file in it."""

    def __init__(self, path, faults):
        self.file = os.open(path, os.O_RDWR)
        self.size = os.fstat(self.file).st_size
        self.faults = faults

    def getattr(self, path, fh=None):
        if path == "/":
            return {"st_mode": 0o40755, "st_nlink": 2}
        if path == "/disk":
            return {"st_mode": 0o100600, "st_nlink": 1, "st_size": self.size}
        raise FuseOSError(errno.ENOENT)

    def readdir(self, path, fh):
        return [".", "..", "disk"]

    def open(self, path, flags):
        return 0

    def read(self, path, size, offset, fh):
        if self.faults.touches("read-eio", offset, size):
            raise FuseOSError(errno.EIO)
        return os.pread(self.file, size, offset)

    def write(self, path, data, offset, fh):
        if self.faults.touches("write-eio", offset, len(data)):
            raise FuseOSError(errno.EIO)
        return len(data) if self.faults.lies else os.pwrite(self.file, data, offset)

    def fsync(self, path, datasync, fh):
        time.sleep(self.faults.sync_delay)
        if self.faults.sync_fails:
            raise FuseOSError(errno.EIO)


def listen(faults):
    for line in sys.stdin:
        faults.obey(line)
        print("OK " + line.strip(), flush=True)
    # Its parent is gone. The kernel ends the mount with the process.
    os._exit(0)


def main():
    backing, mountpoint = sys.argv[1:]
    faults = Faults()
    threading.Thread(target=listen, args=(faults,), daemon=True).start()
    # direct_io: nothing of it is kept in a cache below the loop device.
    FUSE(Disk(backing, faults), mountpoint, foreground=True, direct_io=True)


if __name__ == "__main__":
    main()
