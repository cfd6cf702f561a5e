import Testing

@testable import Appliance

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
