import Testing

@testable import Appliance

/// A disk of 16 MiB on which an image of 6 MiB was written: three partitions, as the image has them.
private struct Disk {
  static let sector = 512
  static let sectorCount = 16 << 11
  var bytes = [UInt8](repeating: 0, count: Disk.sectorCount * Disk.sector)

  init(partitions: [(first: Int, last: Int)] = [(2048, 4095), (4096, 6143), (6144, 8191)], imageSectors: Int = 6 << 11)
  {
    var entries = [UInt8](repeating: 0, count: 128 * 128)
    for (index, partition) in partitions.enumerated() {
      entries[index * 128] = 1
      entries.replace64(at: index * 128 + 32, with: UInt64(partition.first))
      entries.replace64(at: index * 128 + 40, with: UInt64(partition.last))
    }
    for (here, there, at) in [(1, imageSectors - 1, 2), (imageSectors - 1, 1, imageSectors - 33)] {
      var header = [UInt8](repeating: 0, count: Disk.sector)
      header.replaceSubrange(0..<8, with: Array("EFI PART".utf8))
      header.replace32(at: 12, with: 92)
      header.replace64(at: 24, with: UInt64(here))
      header.replace64(at: 32, with: UInt64(there))
      header.replace64(at: 48, with: UInt64(imageSectors - 34))
      header.replace64(at: 72, with: UInt64(at))
      header.replace32(at: 80, with: 128)
      header.replace32(at: 84, with: 128)
      header.replace32(at: 88, with: crc32(entries))
      header.replace32(at: 16, with: crc32(Array(header[..<92])))
      write(header, at: here * Disk.sector)
      write(entries, at: at * Disk.sector)
    }
  }

  func table() throws -> PartitionTable {
    try PartitionTable(sectorSize: Disk.sector, sectorCount: Disk.sectorCount) { offset, count in
      Array(bytes[offset..<(offset + count)])
    }
  }

  mutating func write(_ new: [UInt8], at offset: Int) {
    bytes.replaceSubrange(offset..<(offset + new.count), with: new)
  }
}

@Suite struct PartitionTableTests {
  private let mebibyte = 1 << 20

  @Test func checksumIsTheOneOfZip() { #expect(crc32(Array("123456789".utf8)) == 0xcbf4_3926) }

  @Test func theLastPartitionGrowsToTheEnd() throws {
    var disk = Disk()
    let before = try disk.table()
    #expect(before.extent(of: 3) == .init(start: 3 * mebibyte, byteCount: mebibyte))
    #expect(before.extent(of: 4) == nil)
    for write in try before.growing(3) { disk.write(write.bytes, at: write.offset) }
    let after = try disk.table()
    #expect(after.extent(of: 3) == .init(start: 3 * mebibyte, byteCount: 12 * mebibyte))
    #expect(after.extent(of: 1) == before.extent(of: 1))
    #expect(try after.growing(3).isEmpty, "grown is grown")
  }

  @Test func onlyTheLastOneGrows() throws {
    let table = try Disk().table()
    #expect(throws: PartitionTable.Damage.self) { try table.growing(2) }
    #expect(throws: PartitionTable.Damage.self) { try table.growing(9) }
  }

  /// Power is cut after any number of sectors of any write, whose last sector may be torn: what firmware and kernel see
  /// is the old table or the new one, and the next start grows what is left to grow.
  @Test func aCutAtAnyMomentLeavesAWholeTable() throws {
    let original = Disk()
    let extent = try original.table().extent(of: 1)
    let writes = try original.table().growing(3)
    var disk = original
    for write in writes {
      for cut in stride(from: 0, through: write.bytes.count, by: Disk.sector / 2) {
        var torn = disk
        torn.write(Array(write.bytes[..<cut]), at: write.offset)
        let found = try torn.table()
        #expect(found.extent(of: 1) == extent)
        #expect([mebibyte, 12 * mebibyte].contains(found.extent(of: 3)?.byteCount ?? 0))
        for rest in try found.growing(3) { torn.write(rest.bytes, at: rest.offset) }
        #expect(try torn.table().extent(of: 3)?.byteCount == 12 * mebibyte)
        #expect(try torn.table().growing(3).isEmpty)
      }
      disk.write(write.bytes, at: write.offset)
    }
  }

  @Test func withoutAWholeTableThereIsNone() {
    var disk = Disk()
    disk.write([0], at: Disk.sector)
    #expect(throws: PartitionTable.Damage.self) { try disk.table() }
  }
}
