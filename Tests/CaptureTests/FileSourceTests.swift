import Frames
import Posix
import Testing

@testable import Capture

@Suite struct FileSourceTests {
  private let step: Int64 = 20_000_000

  @Test(arguments: [
    ("h264.mp4", Codec.h264, 2), ("h264b.mp4", .h264, 2), ("h264.h264", .h264, 2), ("h264.ts", .h264, 2),
    ("h265.mp4", .h265, 2), ("mjpeg.mkv", .mjpeg, 10), ("mjpeg.mjpeg", .mjpeg, 10),
  ])
  func readsEveryFrame(_ name: String, _ codec: Codec, _ keyframeCount: Int) throws {
    let source = FileSource(path: try Clips.path(name), loops: false, interrupt: Interrupt(), notes: silentNotes())
    let stream = try source.open()
    #expect(stream.codec == codec)
    #expect(stream.ignoredTracks == (name == "h264.mp4" ? ["audio (aac)"] : []))
    let packets = try packets(of: Clips.path(name))
    #expect(packets.count == Clips.frameCount)
    #expect(packets.count { isKeyframe($0, codec) } == keyframeCount)
    let shown = packets.compactMap(\.pts).sorted()
    #expect(zip(shown, shown.dropFirst()).allSatisfy { $0 < $1 })
    #expect(zip(packets, packets.dropFirst()).allSatisfy { $0.arrival.wall <= $1.arrival.wall })
    guard codec != .mjpeg else { return }
    for packet in packets { #expect(!units(packet.payload.array, codec).isEmpty, "Annex B") }
  }

  @Test func reorderedPicturesCarryBothTimes() throws {
    let packets = try packets(of: Clips.path("h264b.mp4"))
    let decoded = packets.compactMap(\.dts)
    #expect(decoded == (0..<10).map { $0 * step })
    #expect(packets.compactMap(\.pts) != packets.compactMap(\.pts).sorted())
    #expect(packets.allSatisfy { ($0.dts ?? .max) <= ($0.pts ?? .min) })
  }

  @Test func timesGoOnAtTheEndOfALoop() throws {
    for name in ["h264.mp4", "h264b.mp4", "mjpeg.mkv"] {
      let source = FileSource(path: try Clips.path(name), loops: true, interrupt: Interrupt(), notes: silentNotes())
      _ = try source.open()
      let packets = try (0..<25).map { _ in try source.read() }
      #expect(packets.compactMap(\.dts) == (0..<25).map { $0 * step }, "\(name)")
      #expect([10, 20].allSatisfy { isKeyframe(packets[$0], name == "mjpeg.mkv" ? .mjpeg : .h264) })
      #expect(packets[10].payload.array == packets[0].payload.array)
      source.close()
      source.close()
    }
  }

  /// Joined recordings: the clock jumps ahead by 14 hours, then back. A jump played as a pause would never end here.
  @Test func jumpsOfTheFilesClockArePlayedWithoutThem() throws {
    let bytes = try Clips.bytes("h264.ts") + Clips.bytes("later.ts") + Clips.bytes("h264.ts")
    let packets = try packets(of: Clips.write("joined.ts", bytes))
    #expect(packets.count >= 28, "FFmpeg may drop one where it finds the jump")
    let decoded = packets.compactMap(\.dts)
    #expect(zip(decoded, decoded.dropFirst()).allSatisfy { $1 - $0 <= 1_000_000_000 && $1 >= $0 })
  }

  @Test func whatCannotBePlayed() throws {
    let table: [(String, CaptureError.Code)] = [
      ("/nonexistent/clip.mp4", .unreachable), (try Clips.path("vp8.mkv"), .unusable),
      (try Clips.write("empty.mp4", []), .unusable),
      (try Clips.write("noise.mp4", (0..<9_999).map { UInt8($0 % 251) }), .unusable),
      (try Clips.write("torn.mp4", Array(Clips.bytes("h264.mp4").prefix(3_000))), .unusable),
    ]
    for (path, code) in table {
      let source = FileSource(path: path, loops: true, interrupt: Interrupt(), notes: silentNotes())
      let error = captureError {
        _ = try source.open()
        _ = try source.read()
      }
      #expect(code == .unusable || error?.code == code, "\(path): \(error?.message ?? "")")
      #expect(error?.message.contains(path) == true || path.hasSuffix("mkv"), "\(error?.message ?? "")")
    }
  }

  @Test func damagedFilesDoNotCrash() throws {
    var generator = SeededGenerator(seed: 5)
    for name in ["h264.mp4", "h265.mp4", "mjpeg.mkv", "h264.ts"] {
      let whole = try Clips.bytes(name)
      for round in 0..<8 {
        var bytes = whole
        for _ in 0..<20 {
          bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        }
        let path = try Clips.write("damaged-\(round)-\(name)", bytes)
        let interrupt = Interrupt()
        let source = FileSource(path: path, loops: false, interrupt: interrupt, notes: silentNotes())
        _ = try? source.open()
        // Not paced: with a stopped sleep every read ends at once, whatever times the file claims.
        interrupt.setDeadline(.now() + .seconds(1))
        interrupt.stop()
        #expect(throws: CaptureError.self) { while true { _ = try source.read() } }
      }
    }
  }

  /// A protection that this FFmpeg does not have must not go unnoticed.
  @Test func optionsThatNobodyUnderstandsAreErrors() throws {
    let url = "file:" + (try Clips.path("h264.mp4"))
    for (option, isGood) in [("protocol_whitelist", true), ("tls_verify", false), ("no_such_option", false)] {
      let error = captureError {
        _ = try Demuxer(
          url: url, options: [(option, option == "tls_verify" ? "1" : "file")], isLive: false, interrupt: Interrupt(),
          notes: silentNotes())
      }
      #expect(isGood ? error == nil : error?.code == .unusable, "\(option)")
      #expect(isGood || error?.message.contains("'\(option)'") == true)
    }
  }

  @Test func stoppingEndsAPause() throws {
    let interrupt = Interrupt()
    let source = FileSource(path: try Clips.path("mjpeg.mkv"), loops: true, interrupt: interrupt, notes: silentNotes())
    _ = try source.open()
    _ = try source.read()
    interrupt.stop()
    let error = captureError { while true { _ = try source.read() } }
    #expect(error?.code == .stopped)
  }

  @Test func readingAClosedSource() {
    let source = FileSource(path: "/x", loops: true, interrupt: Interrupt(), notes: silentNotes())
    #expect(throws: CaptureError.self) { try source.read() }
    let test = TestSource(width: 64, height: 48, fps: 10, interrupt: Interrupt())
    #expect(throws: CaptureError.self) { try test.read() }
  }
}
