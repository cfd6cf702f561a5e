import Frames
import Testing

@testable import Records

/// Records as anybody could write them.
@Suite struct ReceivedFrameTests {
  private static let good: [(name: String, value: String)] = [
    ("ce_specversion", "1.0"), ("ce_type", "camgate.frame.v1"), ("ce_source", "/g/cam"), ("ce_id", "r-1-7"),
    ("ce_time", "2026-11-23T19:00:00.000000000Z"), ("content-type", "video/h264"), ("ce_sequence", "17"),
    ("ce_keyframe", "1"), ("ce_gap", "unknown"),
  ]

  /// Headers that differ from good ones (nil: is missing), and what is said of them; nil when it is a frame.
  private static let rows: [(changes: [(name: String, value: String?)], message: String?)] = [
    ([], nil),
    ([("ce_gap", nil)], nil),
    ([("ce_type", nil)], "the header ce_type is missing"),
    ([("ce_type", "other.v1")], "ce_type is 'other.v1'"),
    ([("content-type", nil)], "the header content-type is missing"),
    ([("content-type", "text/plain")], "content-type 'text/plain' is no encoded video"),
    ([("ce_source", nil)], "the header ce_source is missing"),
    ([("ce_id", nil)], "the header ce_id is missing"),
    ([("ce_id", "r-1-18446744073709551616")], "ce_id is malformed"),
    ([("ce_time", nil)], "the header ce_time is missing"),
    ([("ce_sequence", nil)], "the header ce_sequence is missing"),
    ([("ce_keyframe", nil)], "the header ce_keyframe is missing"),
    ([("ce_chunk", "2/5"), ("ce_chunkid", "7"), ("ce_checksum", "0")], nil),
    ([("ce_chunk", "2/5")], malformed("2/5")),
    ([("ce_chunk", "2/5"), ("ce_chunkid", "7")], malformed("2/5")),
    chunk("0/5"), chunk("6/5"), chunk("-1/5"), chunk("1/-5"), chunk("1/0"), chunk("0/0"), chunk(""), chunk("1"),
    chunk("1/2/3"), chunk("a/b"), chunk("1/99999999999999999999"), chunk("1/4097"),
    chunk("1/\(Int.max)"),
  ]

  private static func malformed(_ chunk: String) -> String {
    "ce_chunk '\(chunk)' is malformed or without ce_chunkid and ce_checksum"
  }

  private static func chunk(_ text: String) -> (changes: [(name: String, value: String?)], message: String?) {
    ([("ce_chunk", text), ("ce_chunkid", "7"), ("ce_checksum", "0")], malformed(text))
  }

  private static func headers(_ changes: [(name: String, value: String?)]) -> [(name: String, value: String)] {
    good.filter { header in !changes.contains { $0.name == header.name } }
      + changes.compactMap { change in change.value.map { (change.name, $0) } }
  }

  @Test(arguments: rows.indices)
  func hostileHeadersAreRefusedInWords(_ index: Int) {
    let row = Self.rows[index]
    do throws(RecordError) {
      let frame = try ReceivedFrame(
        headers: Self.headers(row.changes), payload: Payload([1, 2, 3]), partition: 3, offset: 4)
      #expect(row.message == nil, "\(row.changes)")
      #expect(frame.camera == "cam")
      #expect(frame.id.text == "r-1-7")
      #expect(Array(frame.payload.bytes) == [1, 2, 3])
      #expect(frame.part == nil || frame.part?.number == 2 && frame.part?.count == 5)
      #expect(frame.partition == 3 && frame.offset == 4)
    } catch {
      #expect(error.message == row.message, "\(row.changes)")
    }
  }
}
