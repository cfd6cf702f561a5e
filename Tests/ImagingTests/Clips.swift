import Frames
import Glibc
import Imaging
import Synchronization
import Testing

/// Small streams, made by the `ffmpeg` executable once a test run.
enum Clips {
  static let frameCount = 10
  private static let made = Mutex<[String: [UInt8]]>([:])

  /// What `ffmpeg` with these arguments writes to its standard output.
  static func output(_ arguments: String) throws -> [UInt8] {
    try made.withLock { made in
      if let bytes = made[arguments] { return bytes }
      let pipe = try #require(popen("ffmpeg -nostdin -v error \(arguments) -", "r"))
      var bytes: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = fread(&chunk, 1, chunk.count, pipe)
        if count == 0 { break }
        bytes += chunk[..<count]
      }
      try #require(pclose(pipe) == 0 && !bytes.isEmpty, "this test needs ffmpeg with libx264 and libx265")
      made[arguments] = bytes
      return bytes
    }
  }

  /// Ten coded pictures of a moving test card, two seconds of GOP each; a keyframe is the first and the sixth.
  static func accessUnits(_ codec: Codec, bFrames: Int = 0, size: String = "66x50") throws -> [[UInt8]] {
    let input = "-f lavfi -i testsrc=s=\(size):r=50 -frames:v \(frameCount) -pix_fmt"
    switch codec {
    case .h264:
      let x264 = "aud=1:repeat-headers=1:keyint=5:scenecut=0:b-adapt=0:b-pyramid=none:bframes=\(bFrames)"
      let encoder = "yuv420p -c:v libx264 -preset veryfast -x264-params \(x264) -f h264"
      return split(try output("\(input) \(encoder)"), at: [0, 0, 0, 1, 9])
    case .h265:
      let x265 = "aud=1:repeat-headers=1:keyint=5:bframes=0:open-gop=0:log-level=error"
      let encoder = "yuv420p -c:v libx265 -preset ultrafast -x265-params \(x265) -f hevc"
      return split(try output("\(input) \(encoder)"), at: [0, 0, 0, 1, 0x46, 1])
    case .mjpeg:
      return split(try output("\(input) yuvj420p -c:v mjpeg -f mjpeg"), at: [0xff, 0xd8, 0xff])
    }
  }

  private static func split(_ bytes: [UInt8], at mark: [UInt8]) -> [[UInt8]] {
    let starts = bytes.indices.filter { bytes[$0...].starts(with: mark) }
    return zip(starts, starts.dropFirst() + [bytes.count]).map { Array(bytes[$0..<$1]) }
  }
}

extension SoftwareDecoder {
  /// Decodes an array; gives the tags and sizes of the pictures that came out.
  func decoded(_ bytes: [UInt8], tag: Int64) throws -> [(tag: Int64, width: Int, height: Int)] {
    var pictures: [(Int64, Int, Int)] = []
    try bytes.withUnsafeBytes { try decode($0, tag: tag) { pictures.append(($1, $0.width, $0.height)) } }
    return pictures
  }

  /// The tags of the pictures that were held back.
  func drainedTags() throws -> [Int64] {
    var tags: [Int64] = []
    try drain { tags.append($1) }
    return tags
  }
}

/// The same numbers in every run (a linear congruential generator with Knuth's constants, its high half first).
struct LinearGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 32 | state << 32
  }
}
