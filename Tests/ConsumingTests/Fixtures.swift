import Frames
import Posix
import Testing

@testable import Consuming
@testable import Records

// Frames as they would have been read, and small streams made by FFmpeg with libx264 (12 pictures of 64 x 64 pixels in
// two groups of 6, an access unit delimiter in front of each): `plain` without, `reordered` with two B-pictures in a row.

func received(
  _ number: UInt64, source: String = "/g/cam", codec: Codec = .h264, isKeyframe: Bool = true, gap: String? = nil,
  part: FramePart? = nil, payload: [UInt8] = [1], partition: Int32 = 0
) -> ReceivedFrame {
  ReceivedFrame(
    source: source, id: FrameID("r-1-\(number)")!, time: "", sequence: "", codec: codec, isKeyframe: isKeyframe,
    gap: gap, part: part, payload: Payload(payload), partition: partition, offset: Int64(number) * 10)
}

enum Video {
  static func file(_ name: String) throws -> [UInt8] {
    let tests = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    return try Files.read("\(tests)/Fixtures/video/\(name)", limit: 1 << 20)
  }

  /// The access units of a stream as received frames, numbered from 1 in decoding order.
  static func frames(_ name: String) throws -> [ReceivedFrame] {
    let bytes = try file(name)
    let delimiter: [UInt8] = [0, 0, 0, 1, 9]
    let starts = bytes.indices.filter { bytes[$0...].starts(with: delimiter) }
    try #require(starts.count == 12)
    return starts.indices.map { index in
      let end = index + 1 < starts.count ? starts[index + 1] : bytes.count
      return received(
        UInt64(index + 1), isKeyframe: index % 6 == 0, payload: Array(bytes[starts[index]..<end]))
    }
  }
}
