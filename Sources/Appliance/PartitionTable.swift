// The GUID partition table of the card (UEFI specification 2.10, chapter 5), as far as growing the last partition needs
// it. Pure: what is on the disk goes in, the writes that change it come out.
//
// Invariant: whichever of the writes is the last one that reached the disk, also when that one is torn, one of the two
// tables is whole and describes all partitions: firmware and kernel (with its option `gpt`) take the whole one.

/// A whole partition table, read from its first or, when that is damaged, from its second place.
package struct PartitionTable: Sendable {
  /// Bytes to be written at an offset of the disk. Each must be durable before the next one begins.
  package struct Write: Sendable, Equatable {
    package var offset: Int
    package var bytes: [UInt8]
  }

  /// What is wrong with a disk.
  package struct Damage: Error, Sendable, Equatable {
    package var message: String
  }

  /// Where a partition lies, in bytes.
  package struct Extent: Sendable, Equatable {
    package var start: Int
    package var byteCount: Int
  }

  /// Partitions end at multiples of this many bytes.
  static let alignment = 1 << 20

  private let sectorSize: Int
  private let sectorCount: Int
  private var header: [UInt8]
  private var entries: [UInt8]
  /// Whether the first of the two places holds it.
  private let isPrimaryWhole: Bool

  /// Reads the table of a disk of `sectorCount` sectors. `read` gives `count` bytes from `offset`.
  package init(
    sectorSize: Int, sectorCount: Int, read: (_ offset: Int, _ count: Int) throws -> [UInt8]
  ) throws {
    (self.sectorSize, self.sectorCount) = (sectorSize, sectorCount)
    let primary = try PartitionTable.load(at: 1, sectorSize: sectorSize, sectorCount: sectorCount, read: read)
    isPrimaryWhole = primary != nil
    let table =
      try primary
      ?? PartitionTable.load(at: sectorCount - 1, sectorSize: sectorSize, sectorCount: sectorCount, read: read)
    guard let table else { throw Damage(message: "neither of the disk's two partition tables is whole") }
    (header, entries) = table
  }

  /// Header and entries at a place, if both are whole.
  private static func load(
    at sector: Int, sectorSize: Int, sectorCount: Int, read: (_ offset: Int, _ count: Int) throws -> [UInt8]
  ) throws -> (header: [UInt8], entries: [UInt8])? {
    let header = try read(sector * sectorSize, sectorSize)
    let size = Int(header.number32(at: 12))
    guard header.starts(with: Array("EFI PART".utf8)), (92...sectorSize).contains(size) else { return nil }
    var zeroed = Array(header[..<size])
    zeroed.replace32(at: 16, with: 0)
    guard crc32(zeroed) == header.number32(at: 16), header.number64(at: 24) == UInt64(sector) else { return nil }
    let count = Int(header.number32(at: 80)), entrySize = Int(header.number32(at: 84))
    guard let first = Int(exactly: header.number64(at: 72)), (2..<sectorCount).contains(first),
      (128...4096).contains(entrySize), (1...1024).contains(count)
    else { return nil }
    let byteCount = count * entrySize
    let whole = (byteCount + sectorSize - 1) / sectorSize * sectorSize
    let entries = try read(first * sectorSize, whole)
    guard entries.count == whole, crc32(Array(entries[..<byteCount])) == header.number32(at: 88) else { return nil }
    return (header, entries)
  }

  private var entrySize: Int { Int(header.number32(at: 84)) }
  private var entryCount: Int { Int(header.number32(at: 80)) }

  /// The disk's GUID, 16 bytes as stored.
  package var diskIdentifier: [UInt8] { Array(header[56..<72]) }

  /// The number (from 1) of the partition of this type and GUID, nil when there is none.
  package func number(type: [UInt8], identifier: [UInt8]) -> Int? {
    (1...entryCount).first { number in
      let entry = entries[((number - 1) * entrySize)...].prefix(32)
      return extent(of: number) != nil && entry.elementsEqual(type + identifier)
    }
  }

  /// Where partition `number` (from 1) lies; nil when there is none.
  package func extent(of number: Int) -> Extent? {
    guard (1...entryCount).contains(number) else { return nil }
    let at = (number - 1) * entrySize
    let first = Int(clamping: entries.number64(at: at + 32)), last = Int(clamping: entries.number64(at: at + 40))
    guard first > 0, last >= first, last < Int.max / sectorSize else { return nil }
    return Extent(start: first * sectorSize, byteCount: (last - first + 1) * sectorSize)
  }

  /// The writes that make partition `number`, the last one on the disk, reach to its end; none when it does already.
  /// Throws when another partition lies behind it.
  package func growing(_ number: Int) throws(Damage) -> [Write] {
    guard let extent = extent(of: number) else { throw Damage(message: "there is no partition \(number)") }
    let others = (1...entryCount).filter { $0 != number }.compactMap { self.extent(of: $0) }
    if others.contains(where: { $0.start > extent.start }) {
      throw Damage(message: "partition \(number) is not the last one on the disk")
    }
    let tableSectors = entries.count / sectorSize
    let lastUsable = sectorCount - tableSectors - 2
    let end = (lastUsable + 1) * sectorSize / PartitionTable.alignment * PartitionTable.alignment
    let isAtTheEnd = header.number64(at: 48) == UInt64(lastUsable)
    if end <= extent.start + extent.byteCount && isPrimaryWhole && isAtTheEnd { return [] }
    var grown = self
    let last = max(end, extent.start + extent.byteCount) / sectorSize - 1
    grown.entries.replace64(at: (number - 1) * entrySize + 40, with: UInt64(last))
    // The second place first: while the first one is written the other is whole.
    let second = grown.header(at: sectorCount - 1, other: 1, entriesAt: sectorCount - 1 - tableSectors, lastUsable)
    let first = grown.header(at: 1, other: sectorCount - 1, entriesAt: 2, lastUsable)
    return [
      Write(offset: (sectorCount - 1 - tableSectors) * sectorSize, bytes: grown.entries),
      Write(offset: (sectorCount - 1) * sectorSize, bytes: second),
      Write(offset: 2 * sectorSize, bytes: grown.entries),
      Write(offset: sectorSize, bytes: first),
    ]
  }

  private func header(at sector: Int, other: Int, entriesAt first: Int, _ lastUsable: Int) -> [UInt8] {
    var new = header
    new.replace64(at: 24, with: UInt64(sector))
    new.replace64(at: 32, with: UInt64(other))
    new.replace64(at: 48, with: UInt64(lastUsable))
    new.replace64(at: 72, with: UInt64(first))
    new.replace32(at: 88, with: crc32(Array(entries[..<(entryCount * entrySize)])))
    new.replace32(at: 16, with: 0)
    new.replace32(at: 16, with: crc32(Array(new[..<Int(new.number32(at: 12))])))
    return new
  }
}

/// CRC-32 as the specification asks for (ISO 3309, the one of zip). Bit by bit: 16 KiB, once a boot.
func crc32(_ bytes: [UInt8]) -> UInt32 {
  var sum: UInt32 = 0xffff_ffff
  for byte in bytes {
    sum ^= UInt32(byte)
    for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 1 ? 0xedb8_8320 : 0) }
  }
  return ~sum
}

// Little-endian numbers in bytes.
extension [UInt8] {
  func number32(at offset: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(self[offset + $1]) << (8 * UInt32($1)) } }

  func number64(at offset: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(self[offset + $1]) << (8 * UInt64($1)) } }

  mutating func replace32(at offset: Int, with number: UInt32) {
    for index in 0..<4 { self[offset + index] = UInt8(truncatingIfNeeded: number >> (8 * UInt32(index))) }
  }

  mutating func replace64(at offset: Int, with number: UInt64) {
    for index in 0..<8 { self[offset + index] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(index))) }
  }
}
