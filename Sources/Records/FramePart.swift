// A frame that is too large for one record is sent in parts, one after another, which share an id and a checksum.

/// One of the records a frame was split into.
package struct FramePart: Sendable, Equatable {
  /// More parts than any frame needs; whoever claims more wants our memory.
  package static let limit = 4_096

  /// From 1.
  package var number: Int
  package var count: Int
  /// Shared by all parts of the frame: its id.
  package var groupID: String
  /// XXH3-64 of the whole frame, hexadecimal.
  package var checksum: String

  package init(number: Int, count: Int, groupID: String, checksum: String) {
    (self.number, self.count, self.groupID, self.checksum) = (number, count, groupID, checksum)
  }

  /// Where a frame of so many bytes is cut: into pieces of `partBytes`, or larger ones where these would be too many.
  package static func ranges(of byteCount: Int, partBytes: Int) -> [Range<Int>] {
    let partBytes = max(partBytes, (byteCount + limit - 1) / limit)
    return stride(from: 0, to: byteCount, by: partBytes).map { $0..<min($0 + partBytes, byteCount) }
  }

  /// The headers of this part's record, from those of the whole frame.
  package func headers(of whole: [RecordHeader]) -> [RecordHeader] {
    var headers = whole
    for index in headers.indices where headers[index].name == HeaderName.id {
      headers[index].value = "\(groupID).\(number)"
    }
    headers.append((HeaderName.chunk, "\(number)/\(count)"))
    headers.append((HeaderName.chunkID, groupID))
    headers.append((HeaderName.checksum, checksum))
    return headers
  }

  /// The `<number>/<count>` of a part; nil for any other text.
  package static func numbers(_ chunk: String) -> (number: Int, count: Int)? {
    let numbers = chunk.split(separator: "/").compactMap { Int($0) }
    guard numbers.count == 2, numbers[0] >= 1, numbers[0] <= numbers[1], numbers[1] <= limit else { return nil }
    return (numbers[0], numbers[1])
  }
}
