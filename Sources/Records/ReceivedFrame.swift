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
  package var part: Part?
  package var payload: Payload
  package var partition: Int32
  /// Offset of the record; of its first part when it was put together.
  package var offset: Int64
  /// It had to wait while newer frames of its camera were sent.
  package var isBackfill = false

  /// One of the records a frame was split into.
  package struct Part: Sendable, Equatable {
    /// More parts than any frame needs; whoever claims more wants our memory.
    package static let limit = 4_096

    /// From 1.
    package var number: Int
    package var count: Int
    /// Shared by all parts of the frame.
    package var groupID: String
    /// XXH3-64 of the whole frame, hexadecimal.
    package var checksum: String
  }

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
  /// Reads a record: its headers, its value, and where it lies. Throws for one that is not of the type `camgate.frame.v1` or
  /// lacks a header.
  package init(
    headers: [(name: String, value: String)], payload: Payload, partition: Int32, offset: Int64
  ) throws(RecordError) {
    let headers = Dictionary(headers.map { ($0.name, $0.value) }) { first, _ in first }
    func require(_ name: String) throws(RecordError) -> String {
      guard let value = headers[name] else { throw RecordError(message: "the header \(name) is missing") }
      return value
    }
    let type = try require("ce_type")
    guard type == "camgate.frame.v1" else { throw RecordError(message: "ce_type is '\(type)'") }
    let content = try require("content-type")
    guard let codec = Codec(contentType: content) else {
      throw RecordError(message: "content-type '\(content)' is no encoded video")
    }
    guard let id = FrameID(try require("ce_id")) else { throw RecordError(message: "ce_id is malformed") }
    self.init(
      source: try require("ce_source"), id: id, time: try require("ce_time"), sequence: try require("ce_sequence"),
      codec: codec, isKeyframe: try require("ce_keyframe") == "1",
      recovery: headers["ce_recovery"].flatMap { Int($0) } ?? 0, isLeading: headers["ce_leading"] == "1",
      gap: headers["ce_gap"],
      part: try ReceivedFrame.part(of: headers), payload: payload, partition: partition, offset: offset,
      isBackfill: headers["ce_backfill"] == "1")
  }

  private static func part(of headers: [String: String]) throws(RecordError) -> Part? {
    guard let chunk = headers["ce_chunk"] else { return nil }
    let numbers = chunk.split(separator: "/").compactMap { Int($0) }
    guard numbers.count == 2, numbers[0] >= 1, numbers[0] <= numbers[1], numbers[1] <= Part.limit,
      let groupID = headers["ce_chunkid"],
      let checksum = headers["ce_checksum"]
    else { throw RecordError(message: "ce_chunk '\(chunk)' is malformed or without ce_chunkid and ce_checksum") }
    return Part(number: numbers[0], count: numbers[1], groupID: groupID, checksum: checksum)
  }
}
