"""A disk that loses power: what QEMU's `blklogwrites` recorded (the format of Linux' dm-log-writes), played back up to
a random moment. What was written before the last flush is there; of what came after it, each sector is there or not.
"""

import random
import struct
import subprocess

SECTOR = 512
MAGIC = 0x6A736677736872
ENTRY = struct.Struct("<QQQQ")  # sector, sectors, flags, bytes of data
FLUSH, FUA, DISCARD = 1, 2, 4


def options(card, log):
    """QEMU's options for a card whose writes are recorded in the file `log`."""
    blocks = [f"driver=file,filename={card},node-name=file", f"driver=file,filename={log},node-name=log"]
    blocks.append("driver=blklogwrites,node-name=card,file=file,log=log,log-sector-size=512")
    return [word for block in blocks for word in ("-blockdev", block)]


class Record:
    """The recorded writes: (sector, flags, offset of the data in the log, bytes)."""

    def __init__(self, path):
        self.path = path
        self.entries = []
        with path.open("rb") as log:
            magic, _, count, size = struct.unpack("<QQQI", log.read(28))
            if magic != MAGIC or size != SECTOR:
                raise ValueError(f"{path} is no record of writes")
            at = SECTOR
            end = path.stat().st_size
            while at + SECTOR <= end:
                log.seek(at)
                sector, sectors, flags, _ = ENTRY.unpack(log.read(ENTRY.size))
                length = 0 if flags & DISCARD else sectors * SECTOR
                if at + SECTOR + length > end:
                    break
                self.entries.append((sector, flags, at + SECTOR, length))
                at += SECTOR + length
                if len(self.entries) == count:
                    break

    def replay(self, base, card, seed):
        """Makes `card`: `base` with the writes up to a random moment. Says which."""
        choice = random.Random(seed)
        cut = choice.randrange(1, len(self.entries))
        flushes = [index for index in range(cut) if self.entries[index][1] & FLUSH]
        safe = flushes[-1] if flushes else 0
        subprocess.run(["cp", "--sparse=always", base, card], check=True)
        lost = 0
        with self.path.open("rb") as log, open(card, "r+b") as disk:
            for index, (sector, flags, at, length) in enumerate(self.entries[:cut]):
                log.seek(at)
                data = log.read(length)
                if index <= safe or flags & FUA:
                    disk.seek(sector * SECTOR)
                    disk.write(data)
                    continue
                for offset in range(0, length, SECTOR):
                    if choice.random() < 0.5:
                        disk.seek(sector * SECTOR + offset)
                        disk.write(data[offset : offset + SECTOR])
                    else:
                        lost += 1
        return f"{cut} of {len(self.entries)} writes, {lost} sectors of the last {cut - safe} writes lost"
