import Frames
import Posix

@testable import Capture

/// The frames of the clips that the test cameras show: whatever arrives must be one of them, whole.
struct ShownClips: Sendable {
  /// A frame of a clip.
  struct Shown: Sendable, Equatable {
    var clip: String
    var number: Int
    var frameCount: Int
  }

  private var frames: [[UInt8]: Shown] = [:]

  /// Reads the clips: raw H.264 or H.265 in which a delimiter stands in front of every frame, or JPEGs.
  init(_ files: [String: String]) throws {
    for (name, file) in files {
      let bytes = try Files.read(file, limit: 100_000_000)
      if file.hasSuffix(".mjpeg") {
        let scans = ShownClips.scans(of: bytes)
        for (number, scan) in scans.enumerated() {
          frames[scan] = Shown(clip: name, number: number, frameCount: scans.count)
        }
        continue
      }
      let codec: Codec = file.hasSuffix(".hevc") ? .h265 : .h264
      var units: [[UInt8]] = []
      bytes.withUnsafeBytes { buffer in
        for unit in NALUnitSequence(buffer, codec: codec) {
          if unit.kind == .delimiter { units.append([]) }
          if unit.kind == .slice { units[units.count - 1] += unit.body }
        }
      }
      for (number, unit) in units.enumerated() {
        frames[unit] = Shown(clip: name, number: number, frameCount: units.count)
      }
    }
  }

  /// Which frame it is; nil when it is none of them, or not a whole one.
  func find(_ payload: Payload, _ codec: Codec) -> Shown? {
    withExtendedLifetime(payload) {
      if codec == .mjpeg { return ShownClips.scans(of: Array(payload.bytes)).first.flatMap { frames[$0] } }
      var key: [UInt8] = []
      for unit in NALUnitSequence(payload.bytes, codec: codec) where unit.kind == .slice { key += unit.body }
      return frames[key]
    }
  }

  /// The coded pictures of JPEGs, from the end of the scan's header to EOI: RTP brings only these.
  private static func scans(of bytes: [UInt8]) -> [[UInt8]] {
    var (scans, index): ([[UInt8]], Int) = ([], 0)
    bytes.withUnsafeBytes { bytes in
      while let header = JPEGHeader(UnsafeRawBufferPointer(rebasing: bytes[index...])) {
        var start = index + 2
        while bytes[start + 1] != 0xda { start += 2 + Int(bytes[start + 2]) << 8 + Int(bytes[start + 3]) }
        start += 2 + Int(bytes[start + 2]) << 8 + Int(bytes[start + 3])
        index += header.byteCount
        scans.append(Array(bytes[start..<(index - 2)]))
      }
    }
    return scans
  }
}

extension NALUnit {
  /// The bytes between the start code and the zeros that may stand in front of the next one (FFmpeg's H.265 parser
  /// leaves the first of four bytes of a start code to the unit in front).
  fileprivate var body: UnsafeRawBufferPointer {
    let start = (bytes.firstIndex { $0 == 1 } ?? -1) + 1
    let end = (bytes.lastIndex { $0 != 0 } ?? -1) + 1
    return UnsafeRawBufferPointer(rebasing: bytes[start..<max(start, end)])
  }
}
