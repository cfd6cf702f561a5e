// For the fuzzer: without right checksums it would never get past the first one.

@testable import DiskRing

/// Bytes that pass for a segment.
enum SegmentForgery {
  /// Puts the right checksums over the header, the footer and the records, whatever they say.
  static func mend(_ file: inout [UInt8]) {
    mendHeader(&file)
    let header = file.withUnsafeBytes { SegmentHeader.decode($0) }
    mendFooter(&file)
    guard let header else { return }
    let salt = header.header.identity.salt()
    var offset = 2 * header.byteCount
    while offset + RecordHeader.byteCount <= file.count {
      offset += mendRecord(&file, at: offset, salt: salt)
    }
  }

  private static func put(_ sum: UInt64, _ file: inout [UInt8], at offset: Int) {
    withUnsafeBytes(of: sum.littleEndian) { file.replaceSubrange(offset..<(offset + 8), with: $0) }
  }

  private static func number(_ file: [UInt8], at offset: Int) -> Int {
    Int(file.withUnsafeBytes { $0.integer(UInt32.self, at: offset) })
  }

  private static func mendHeader(_ file: inout [UInt8]) {
    guard file.count >= 64 else { return }
    let count = number(file, at: 12)
    guard count >= 24, count <= file.count else { return }
    put(Checksum.of(Array(file[..<(count - 8)]), seed: SegmentHeader.magic), &file, at: count - 8)
  }

  private static func mendFooter(_ file: inout [UInt8]) {
    let start = file.count - Trailer.byteCount
    guard start >= 0 else { return }
    let seal = { (file: inout [UInt8]) in
      put(Checksum.of(Array(file[start..<(file.count - 8)]), seed: Trailer.magic), &file, at: file.count - 8)
    }
    seal(&file)
    let size = file.count
    let found = file.withUnsafeBytes {
      Trailer.decode(UnsafeRawBufferPointer(rebasing: $0[start...]), fileByteCount: size)
    }
    guard let found else { return }
    let salt = found.identity.salt()
    let index = Array(file[found.dataEnd..<(found.dataEnd + found.indexByteCount)])
    let summary = Array(file[found.summaryOffset..<(found.summaryOffset + found.summaryByteCount)])
    put(Checksum.of(index, seed: salt), &file, at: start + 64)
    put(Checksum.of(summary, seed: salt), &file, at: start + 72)
    seal(&file)
  }

  /// Returns how far the next record is.
  private static func mendRecord(_ file: inout [UInt8], at offset: Int, salt: UInt64) -> Int {
    guard number(file, at: offset) == Int(RecordHeader.magic) else { return 8 }
    let body = number(file, at: offset + 12) + number(file, at: offset + 16)
    let start = offset + RecordHeader.byteCount
    guard start + body <= file.count else { return 8 }
    let seed = RecordHeader.seed(salt: salt, offset: offset)
    put(RecordHeader.marker(salt: salt), &file, at: offset)
    put(Checksum.of(Array(file[start..<(start + body)]), seed: seed), &file, at: offset + 56)
    put(Checksum.of(Array(file[offset..<(offset + 64)]), seed: seed), &file, at: offset + 64)
    return RecordHeader.recordByteCount(body: body)
  }
}
