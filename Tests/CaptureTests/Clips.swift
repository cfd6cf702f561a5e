import Frames
import Glibc
import Posix
import Synchronization
import Testing

@testable import Capture

/// Small clips of 64x48 pixels, made by the `ffmpeg` executable once a test run.
enum Clips {
  static let frameCount = 10
  private static let encode = "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=64x48:r=50"
  private static let x264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -x264-params"

  /// What stands between `encode` and the file's name.
  private static let recipes: [String: String] = [
    "h264.mp4": "-f lavfi -i sine -map 0 -map 1 -c:a aac -shortest -frames:v 10 \(x264) scenecut=0:keyint=5",
    "h264b.mp4": "-frames:v 10 \(x264) scenecut=0:keyint=5:bframes=2:b-adapt=0:b-pyramid=none",
    "h264.h264": "-frames:v 10 \(x264) scenecut=0:keyint=5",
    "late.h264": "-frames:v 160 \(x264) scenecut=0:keyint=150:aud=1",
    "open.h264":
      "-frames:v 20 \(x264) scenecut=0:keyint=8:open-gop=1:bframes=2:b-adapt=0:aud=1:repeat-headers=1",
    "cropped.h264": "-frames:v 1 -vf scale=50x44 \(x264) interlaced=1",
    "cropped.h265": "-frames:v 1 -vf scale=50x38 -c:v libx265 -pix_fmt yuv422p -x265-params log-level=error",
    "h264.ts": "-frames:v 10 \(x264) scenecut=0:keyint=5",
    "later.ts": "-frames:v 10 \(x264) scenecut=0:keyint=5 -output_ts_offset 50000",
    "h265.mp4":
      "-frames:v 10 -c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params keyint=5:bframes=0:log-level=error",
    "mjpeg.mkv": "-frames:v 10 -c:v mjpeg -pix_fmt yuvj420p",
    "mjpeg.mjpeg": "-frames:v 10 -c:v mjpeg -pix_fmt yuvj420p",
    "default-tables.jpg": "-frames:v 1 -c:v mjpeg -huffman default -pix_fmt yuvj420p",
    "vp8.mkv": "-frames:v 10 -c:v vp8",
  ]

  private static let directory: String = {
    var template = Array("/tmp/camgate-clips-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil, "no temporary directory")
    atexit { _ = system("rm -r \(Clips.directory)") }
    return text(of: template)
  }()
  private static let made = Mutex<Set<String>>([])

  /// The path of a clip.
  static func path(_ name: String) throws -> String {
    let path = directory + "/" + name
    let recipe = try #require(recipes[name])
    try made.withLock { made in
      if made.contains(name) { return }
      try #require(system("\(encode) \(recipe) \(path)") == 0, "this test needs ffmpeg with libx264 and libx265")
      made.insert(name)
    }
    return path
  }

  /// The content of a clip.
  static func bytes(_ name: String) throws -> [UInt8] { try Files.read(path(name), limit: 10_000_000) }

  /// A new file that goes with the clips.
  static func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = directory + "/" + name
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try Files.write(bytes, to: descriptor)
    return path
  }

  /// The access units of an H.264 clip that was made with delimiters.
  static func accessUnits(_ name: String) throws -> [[UInt8]] {
    let bytes = try bytes(name)
    let starts = bytes.indices.dropLast(5).filter { bytes[$0...].starts(with: [0, 0, 0, 1, 9]) }
    return zip(starts, starts.dropFirst() + [bytes.count]).map { Array(bytes[$0..<$1]) }
  }

  /// The JPEGs of mjpeg.mjpeg.
  static func jpegs() throws -> [[UInt8]] {
    let bytes = try bytes("mjpeg.mjpeg")
    let starts = bytes.indices.dropLast(2).filter { Array(bytes[$0...($0 + 2)]) == [0xff, 0xd8, 0xff] }
    return zip(starts, starts.dropFirst() + [bytes.count]).map { Array(bytes[$0..<$1]) }
  }
}

/// What FFmpeg says goes nowhere.
func silentNotes() -> FFmpegNotes { FFmpegNotes(log: Log { _ in }) }

/// All packets of a file up to its end. What does not come to an end is stopped, so that the test fails and does not hang.
func packets(of path: String) throws -> [SourcePacket] {
  let interrupt = Interrupt()
  let isAtEnd = Monitor(false)
  let start = MonotonicTime.now()
  _ = Thread.start(name: "limit") {
    if isAtEnd.wait(until: start + .seconds(60), for: { $0 ? true : nil }) == nil { interrupt.stop() }
  }
  defer { isAtEnd.withLock { $0 = true } }
  let source = FileSource(path: path, loops: false, interrupt: interrupt, notes: silentNotes())
  _ = try source.open()
  var packets: [SourcePacket] = []
  while true {
    do {
      packets.append(try source.read())
    } catch {
      if error.code == .ended { return packets }
      throw error
    }
  }
}

/// The error that `body` must end with.
func captureError(_ body: () throws -> Void) -> CaptureError? {
  do {
    try body()
    return nil
  } catch {
    return error as? CaptureError
  }
}
