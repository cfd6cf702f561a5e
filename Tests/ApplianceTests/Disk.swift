@testable import Appliance

/// A disk of 16 MiB on which an image of 6 MiB was written: three partitions, as the image has them.
/// `identities` are a partition's type and GUID, as stored.
struct Disk {
  static let sector = 512
  static let sectorCount = 16 << 11
  var bytes = [UInt8](repeating: 0, count: Disk.sectorCount * Disk.sector)

  init(
    partitions: [(first: Int, last: Int)] = [(2048, 4095), (4096, 6143), (6144, 8191)], imageSectors: Int = 6 << 11,
    identifier: [UInt8] = [UInt8](repeating: 0, count: 16), ofPartitions identities: [[UInt8]] = []
  ) {
    var entries = [UInt8](repeating: 0, count: 128 * 128)
    for (index, partition) in partitions.enumerated() {
      let identity = index < identities.count ? identities[index] : [1]
      entries.replaceSubrange((index * 128)..<(index * 128 + identity.count), with: identity)
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
      header.replaceSubrange(56..<72, with: identifier)
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
