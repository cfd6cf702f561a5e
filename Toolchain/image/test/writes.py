"""A disk that loses power: what QEMU's `blklogwrites` recorded (the format of Linux' dm-log-writes), played back up to
a random moment. What was written before the last flush is there; of what came after it, each sector is there or not.
"""

import contextlib
import random
import struct

from bench import copy_sparse

SECTOR = 512
MAGIC = 0x6A736677736872
ENTRY = struct.Struct("<QQQQ")  # sector, sectors, flags, bytes of data
FLUSH, FUA, DISCARD = 1, 2, 4


@contextlib.contextmanager
def recorded(board, name):
    """Switches the board on with its writes recorded, and off. Gives what makes a Record of them afterwards."""
    base, log, plain = board.directory / f"{name}.base", board.directory / f"{name}.log", board.disk
    copy_sparse(board.card, base)
    log.touch()
    board.disk = options(board.card, log)
    with board.powered_on():
        yield lambda: Record(name, base, log)
    board.disk = plain


def options(card, log):
    """QEMU's options for a card whose writes are recorded in the file `log`."""
    blocks = [f"driver=file,filename={card},node-name=file", f"driver=file,filename={log},node-name=log"]
    blocks.append("driver=blklogwrites,node-name=card,file=file,log=log,log-sector-size=512")
    return [word for block in blocks for word in ("-blockdev", block)]


class Record:
    """The recorded writes: (sector, flags, offset of the data in the log, bytes), and the card before them."""

    def __init__(self, name, base, path):
        self.name = name
        self.base = base
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

    def replay(self, card, seed, is_torn=True):
        """Makes `card` what it was before, with the writes up to a random moment; or with those alone that were flushed
        by then. Says which."""
        choice = random.Random(seed)
        cut = choice.randrange(1, len(self.entries))
        flushes = [index for index in range(cut) if self.entries[index][1] & FLUSH]
        safe = flushes[-1] if flushes else 0
        copy_sparse(self.base, card)
        lost = 0
        with self.path.open("rb") as log, open(card, "r+b") as disk:
            for index, (sector, flags, at, length) in enumerate(self.entries[:cut]):
                log.seek(at)
                data = log.read(length)
                if index <= safe or flags & FUA:
                    disk.seek(sector * SECTOR)
                    disk.write(data)
                    continue
                for offset in range(0, length, SECTOR) if is_torn else ():
                    if choice.random() < 0.5:
                        disk.seek(sector * SECTOR + offset)
                        disk.write(data[offset : offset + SECTOR])
                    else:
                        lost += 1
        return f"{cut} of {len(self.entries)} writes, {lost} sectors of the last {cut - safe} writes lost"
