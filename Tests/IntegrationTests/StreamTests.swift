import CFFmpeg
import Foundation
import Frames
import Posix
import Testing

@testable import Capture

extension IntegrationTests.CameraSide {
  /// Where decoding may begin, by the records and by FFmpeg: flagged if and only if FFmpeg, started there, gives the whole
  /// stream's pictures at once, or `ce_recovery` pictures later.
  @Suite struct StreamTests {
    /// The servers that play each stream; all of them with `Toolchain/dev test --long streams`.
    private static let servers: [(program: String, transport: CameraDescription.RTSPTransport)] = {
      let all: [(String, CameraDescription.RTSPTransport)] = [("responder", .tcp), ("cameras", .tcp), ("vlc", .udp)]
      return isLong ? all : [all[0]]
    }()
    private static let isLong = ProcessInfo.processInfo.environment["CAMGATE_SERVERS"] == "all"

    /// How many records of a camera are looked at. VLC ends the stream at the end of the file: that splits them once at most.
    private static let recordCount = isLong ? 120 : 80
    private static let frameCount = isLong ? 400 : 90

    @Test func keyframesAreThoseThatDecodingMayBeginAt() throws {
      let folder = FileManager.default.temporaryDirectory.appending(path: "streams-\(UUID())")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
      defer { try? FileManager.default.removeItem(at: folder) }
      av_log_set_level(AV_LOG_QUIET)
      let files = try EncodedStream.all.map { try $0.encode(into: folder.path, frameCount: Self.frameCount) }
      print(
        "\n| stream | its keyframes | by | keyframes | `ce_recovery` | leading |\n| --- | --- | --- | --- | --- | --- |"
      )
      for (program, transport) in Self.servers {
        for (stream, frames) in zip(EncodedStream.all, try Self.play(files, by: program, transport)) {
          judge(stream, frames, program)
        }
      }
    }

    private func judge(_ stream: EncodedStream, _ all: [Frame], _ by: String) {
      // The longest run without a hole.
      let runs = all.indices.filter { $0 == 0 || all[$0].gap != nil } + [all.count]
      let longest = zip(runs, runs.dropFirst()).max { $0.1 - $0.0 < $1.1 - $1.0 } ?? (0, 0)
      let frames = Array(all[longest.0..<longest.1])
      #expect(
        frames.count >= (by == "responder" ? Self.recordCount : 40),
        "\(stream.name) by \(by): \(all.map(\.gap?.reason))")
      let complaints = DecodingOracle(stream.codec, frames).complaints
      #expect(complaints.isEmpty, "\(stream.name) by \(by): \(complaints.prefix(12).joined(separator: "; "))")
      let gradual = Set(frames.filter { $0.recovery > 0 }.map(\.recovery)).sorted()
      print(
        "| \(stream.name) | \(stream.shows) | \(by) | \(frames.count { $0.isKeyframe }) of \(frames.count) "
          + "| \(gradual) | \(frames.count { $0.isLeading }) |")
    }

    /// What cameras deliver that show the files, all at once.
    private static func play(
      _ files: [String], by program: String, _ transport: CameraDescription.RTSPTransport
    ) throws -> [[Frame]] {
      let streams = zip(EncodedStream.all, files).map { "\($0.name)=\($1)" }
      let options = program == "vlc" ? streams : streams.flatMap { ["--stream", $0] }
      let cameras = program == "cameras" ? EncodedStream.all.map { "\($0.name)=\($0.name)" } : []
      let server = try Server(program, options + cameras)
      let seen = EncodedStream.all.map { _ in Monitor<[Frame]>([]) }
      let running = try zip(EncodedStream.all, seen).map { stream, seen in
        let description = CameraDescription(
          name: try #require(CameraName(stream.name)),
          source: .rtsp(url: try server.url(stream.name), login: nil, transport: transport))
        let camera = Camera(description, log: Log { _ in }) { frame in seen.withLock { $0.append(frame) } }
        camera.start()
        return camera
      }
      let deadline = MonotonicTime.now() + .hangLimit
      let frames = seen.map { seen in
        _ = seen.wait(until: deadline) { $0.count >= recordCount ? true : nil }
        return seen.read { Array($0.prefix(recordCount)) }
      }
      for camera in running { camera.stop() }
      for camera in running { #expect(camera.join(until: .now() + .hangLimit)) }
      return frames
    }
  }
}
