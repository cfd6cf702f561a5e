import CaptureFuzzing
import Frames
import Testing

/// The fuzzer's function on damaged good input, so that it is known to get somewhere; the search is the fuzzer's.
@Suite struct FuzzingTests {
  /// What the fuzzer gives: which parser, and for that its parts one after another.
  private func input(_ parser: UInt8, _ parts: [UInt8]...) -> [UInt8] { [parser] + parts.joined() }

  @Test func damagedInput() throws {
    let mark: [UInt8] = [0xff, 0, 0xff]
    let seeds: [[UInt8]] = [
      input(
        0, NAL.sps(1), NAL.pps(2), mark, NAL.idr(3), mark, NAL.slice(4), mark, NAL.sps(5), NAL.pps(6, 1), NAL.idr(7)),
      input(
        1, NAL.vps5(1), NAL.sps5(2, layers: 3), NAL.pps5(3), mark, NAL.idr5(4), mark, mark, NAL.sps5(5), NAL.idr5(6)),
      input(0, [], Array(try Clips.accessUnits("open.h264").map { mark + $0 }.joined())),
      input(
        1, NAL.vps5(1), NAL.sps5(2), NAL.pps5(3), mark, NAL.slice5(21, 4), mark, NAL.slice5(9, 5), mark,
        NAL.unit([39 << 1, 1, 6, 1, 0x11], 0x80), NAL.slice5(1, 6)),
      input(2, mark, try Clips.jpegs()[0]),
      input(3, Array("rtsp://user:password@[::1]:554/stream".utf8), mark, Array("rtsps://camera".utf8)),
      input(4, try Clips.jpegs()[0]),
      input(5, (0..<80).map { UInt8(truncatingIfNeeded: $0 * 37) }),
      input(6, Array("RTP: missed 12 packets".utf8), mark, Array("RTP: PT=60: bad cseq 0bb9 expected=1".utf8)),
    ]
    var generator = SeededGenerator(seed: 4)
    for round in 0..<3_000 {
      var bytes = seeds[round % seeds.count]
      for _ in 0..<Int.random(in: 0...6, using: &generator) {
        let index = Int.random(in: bytes.indices, using: &generator)
        switch Int.random(in: 0...3, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
        case 2:
          bytes.insert(contentsOf: [[0, 0, 1], mark, [0, 0, 3], [0xff]].randomElement(using: &generator)!, at: index)
        default: bytes.removeSubrange(index..<min(bytes.count, index + 5))
        }
        if bytes.isEmpty { bytes = [0] }
      }
      bytes.withUnsafeBytes { fuzzCapture($0) }
    }
  }
}
