import Posix
import Testing

@testable import DiskRing

/// Sources/DiskRing/FORMAT.md says what the code writes.
@Suite struct FormatTests {
  private static let lines: [String] = {
    let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let bytes = (try? Files.read("/\(here)/Sources/DiskRing/FORMAT.md", limit: 1 << 20)) ?? []
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(
      String.init)
  }()

  /// The record of the document, as the code encodes it.
  @Test func theRecordInHex() throws {
    let start = try #require(FormatTests.lines.firstIndex(of: "```hex"))
    let digits = FormatTests.lines[(start + 1)...].prefix { $0 != "```" }.joined(separator: " ")
    let written = digits.split(separator: " ").compactMap { UInt8($0, radix: 16) }

    let identity = SegmentIdentity(
      ringID: 0x0123_4567_89ab_cdef, generation: 7, slot: 0, segmentByteCount: 32 << 20, epoch: 1_700_000_000)
    let (salt, offset, body) = (identity.salt(), 8_192, [1, 2, 3] + Array("frame".utf8))
    let seed = RecordHeader.seed(salt: salt, offset: offset)
    let header = RecordHeader(
      kind: .frame, stream: 3, isKeyframe: true, metadataByteCount: 3, payloadByteCount: 5,
      mark: Mark(key: RecordKey(epoch: 1_700_000_000, sequence: 42), ordinal: 41),
      captureTime: 1_700_000_000_123_456_789, bodyChecksum: Checksum.of(body, seed: seed))
    var encoded = [UInt8](repeating: 0, count: RecordHeader.byteCount)
    encoded.withUnsafeMutableBytes { header.encode(into: $0, salt: salt, offset: offset) }
    #expect(encoded + body == written)
    #expect(written.withUnsafeBytes { RecordHeader.decode($0, salt: salt, offset: offset) } == header)
  }

  /// Each row of a byte table begins where the one before ends, and the whole is as long as the code says.
  @Test func theTablesAddUp() {
    let sizes = [
      "Cursor entry": CursorEntry.byteCount, "Record": RecordHeader.byteCount, "Index entry": IndexEntry.byteCount,
      "Summary entry": StreamSummary.byteCount, "Trailer": Trailer.byteCount,
    ]
    var (title, sum, found): (String, Int?, Set<String>) = ("", nil, [])
    for line in FormatTests.lines {
      let cells = line.split(separator: "|").map { $0.drop { $0 == " " }.prefix { $0 != " " } }
      if !line.hasPrefix("|") {
        if let size = sizes.first(where: { title.hasPrefix("\($0.key) (\($0.value) bytes") }), let end = sum {
          found.insert(size.key)
          #expect(end == size.value, "\(title)")
        }
        if !line.isEmpty { (title, sum) = (line, nil) } else { sum = nil }
      } else if cells.first == "offset" {
        sum = 0
      } else if let start = sum, let offset = Int(cells[0]) {
        #expect(offset == start, "\(title): \(line)")
        sum = Int(cells[1]).map { offset + $0 } ?? offset
      }
    }
    #expect(found == Set(sizes.keys))
  }
}
