import Frames

// Records back to frames.

/// A frame, or one part of a split frame, as it was read from Kafka.
package struct ReceivedFrame: Sendable {
  /// `/<gateway>/<camera>`.
  package var source: String
  /// Unique within the source.
  package var id: FrameID
  /// Capture time as written: RFC 3339, UTC.
  package var time: String
  /// Epoch and sequence, 30 digits; compares as text.
  package var sequence: String
  package var codec: Codec
  package var isKeyframe: Bool
  /// Of a keyframe: how many pictures later they are whole when decoding begins here; 0: at once.
  package var recovery = 0
  /// It needs pictures before the last keyframe, so it is of no use where decoding begins at that one.
  package var isLeading = false
  /// Frames missing before this one: a number or `unknown`; nil when none.
  package var gap: String?
  /// Which part of how many; nil when the frame is whole.
  package var part: FramePart?
  package var payload: Payload
  package var partition: Int32
  /// Offset of the record; of its first part when it was put together.
  package var offset: Int64
  /// It had to wait while newer frames of its camera were sent.
  package var isBackfill = false

  /// What is decoded by itself: backfill and new frames of a camera come between each other, each in their order.
  package var stream: String { isBackfill ? source + " backfill" : source }

  /// The camera's name, the last part of the source.
  package var camera: String { source.split(separator: "/").last.map { String($0) } ?? source }
}

/// Why a record is no frame.
package struct RecordError: Error, Sendable, Equatable {
  package var message: String
}

extension ReceivedFrame {
  /// Reads a record: its headers, its value, and where it lies. Throws for one that is not of this type or lacks a
  /// header.
  package init(
    headers: [RecordHeader], payload: Payload, partition: Int32, offset: Int64
  ) throws(RecordError) {
    let headers = Dictionary(headers.map { ($0.name, $0.value) }) { first, _ in first }
    func require(_ name: String) throws(RecordError) -> String {
      guard let value = headers[name] else { throw RecordError(message: "the header \(name) is missing") }
      return value
    }
    let type = try require(HeaderName.type)
    guard type == FrameHeaders.type else { throw RecordError(message: "\(HeaderName.type) is '\(type)'") }
    let content = try require(HeaderName.contentType)
    guard let codec = Codec(contentType: content) else {
      throw RecordError(message: "\(HeaderName.contentType) '\(content)' is no encoded video")
    }
    guard let id = FrameID(try require(HeaderName.id)) else {
      throw RecordError(message: "\(HeaderName.id) is malformed")
    }
    self.init(
      source: try require(HeaderName.source), id: id, time: try require(HeaderName.time),
      sequence: try require(HeaderName.sequence), codec: codec, isKeyframe: try require(HeaderName.keyframe) == "1",
      recovery: headers[HeaderName.recovery].flatMap { Int($0) } ?? 0, isLeading: headers[HeaderName.leading] == "1",
      gap: headers[HeaderName.gap], part: try ReceivedFrame.part(of: headers), payload: payload, partition: partition,
      offset: offset, isBackfill: headers[HeaderName.backfill] == "1")
  }

  private static func part(of headers: [String: String]) throws(RecordError) -> FramePart? {
    guard let chunk = headers[HeaderName.chunk] else { return nil }
    guard let (number, count) = FramePart.numbers(chunk), let groupID = headers[HeaderName.chunkID],
      let checksum = headers[HeaderName.checksum]
    else {
      throw RecordError(
        message:
          "\(HeaderName.chunk) '\(chunk)' is malformed or without \(HeaderName.chunkID) and \(HeaderName.checksum)")
    }
    return FramePart(number: number, count: count, groupID: groupID, checksum: checksum)
  }
}
