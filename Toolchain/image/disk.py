"""A disk image of partitions, one behind the other from a given offset, with a GUID partition table (UEFI specification
2.10, chapter 5) whose identifiers are made of their names: the same parts give the same bytes.

usage: disk.py OUTPUT --first MIB --part NAME TYPE FILE...       TYPE: basic, esp, linux
       disk.py --identifiers NAME:TYPE...       prints what a board knows its disk by: disk GUID, NAME TYPE GUID
"""

import argparse
import pathlib
import struct
import uuid
import zlib

SECTOR, MIB = 512, 1 << 20
TYPES = {
    "basic": "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
    "esp": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
    "linux": "0fc63daf-8483-4772-8e79-3d69d8477de4",
}
ENTRIES, ENTRY = 128, 128
TABLE_SECTORS = ENTRIES * ENTRY // SECTOR
SPACE = "8c6cd4bc-6a3c-5f7b-9d41-3f1d5b0f1c4e"  # our identifiers are made in it


def identifier(name, space=SPACE):
    return uuid.uuid5(uuid.UUID(space), name)


def table(parts, first, space):
    """The entries: name, type and place of each part, in sectors."""
    entries, at = [], first * MIB // SECTOR
    for name, kind, path in parts:
        count = path.stat().st_size // SECTOR
        identity = (uuid.UUID(TYPES[kind]).bytes_le, identifier(name, space).bytes_le)
        entries.append(struct.pack("<16s16sQQQ72s", *identity, at, at + count - 1, 0, name.encode("utf-16-le")))
        at += count
    return b"".join(entries).ljust(ENTRIES * ENTRY, b"\0"), at


def header(here, there, entries_at, last, entries, space):
    def packed(checksum):
        fields = (b"EFI PART", 0x10000, 92, checksum, 0, here, there, 2 + TABLE_SECTORS, last)
        more = (identifier("disk", space).bytes_le, entries_at, ENTRIES, ENTRY, zlib.crc32(entries))
        return struct.pack("<8sIIIIQQQQ16sQIII", *fields, *more)

    return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")


def protective_record():
    """An MBR that says "all of it is taken", of whatever size the disk turns out to be."""
    entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, 0xFFFFFFFF)
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def write_sparse(disk, at, path):
    """Copies a file and leaves holes where it has only zeros."""
    with path.open("rb") as source:
        while chunk := source.read(MIB):
            if chunk.strip(b"\0"):
                disk.seek(at)
                disk.write(chunk)
            at += len(chunk)


def write(output, first, parts, space=SPACE):
    """Writes a disk of `parts` (name, type, path of a file with the content), the first one at `first` MiB."""
    entries, end = table(parts, first, space)
    sectors = end + MIB // SECTOR  # room for the second table, and a whole number of MiB
    last = sectors - TABLE_SECTORS - 2
    with output.open("wb") as disk:
        disk.truncate(sectors * SECTOR)
        disk.write(protective_record())
        disk.write(header(1, sectors - 1, 2, last, entries, space))
        disk.write(entries)
        at = first * MIB
        for _, _, path in parts:
            write_sparse(disk, at, path)
            at += path.stat().st_size
        disk.seek((sectors - 1 - TABLE_SECTORS) * SECTOR)
        disk.write(entries)
        disk.write(header(sectors - 1, 1, sectors - 1 - TABLE_SECTORS, last, entries, space))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path, nargs="?")
    parser.add_argument("--first", type=int)
    parser.add_argument("--part", nargs=3, action="append")
    parser.add_argument("--identifiers", nargs="+")
    options = parser.parse_args()
    if options.identifiers:
        print("disk", identifier("disk"))
        for name, kind in (pair.split(":") for pair in options.identifiers):
            print(name, TYPES[kind], identifier(name))
        return
    write(options.output, options.first, [(name, kind, pathlib.Path(path)) for name, kind, path in options.part])


if __name__ == "__main__":
    main()
