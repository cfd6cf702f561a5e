import Delivery
import Foundation
import Posix
import Testing

extension IntegrationTests.KafkaSide {
  /// `camgate ring` on a ring that a gateway has written, with cameras whose pictures a player has to understand.
  @Suite struct RingToolTests {
    private struct Stream: Decodable {
      let camera: String
      let frames: Int
      let undeliveredFrames: Int
    }

    private struct Contents: Decodable {
      let streams: [Stream]
    }

    private struct Exported: Decodable {
      let camera: String
      let file: String
      let frames: Int
    }

    private struct Counted: Decodable {
      struct Stream: Decodable {
        let codecName: String
        let nbReadFrames: String
      }
      let streams: [Stream]
    }

    private func camgate(_ arguments: String..., code: Int32 = 0) throws -> [String] {
      let tool = try Child(Testbed.camgate, ["ring"] + arguments)
      #expect(try tool.waitForExit(timeout: 120) == .code(code), "\(tool.transcript)")
      return tool.output
    }

    private func parsed<Value: Decodable>(_ line: String) throws -> Value {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(Value.self, from: Data(line.utf8))
    }

    /// Frames that Kafka refused for good can be listed beside the ring.
    @Test func refusedFramesAreListed() throws {
      let ring = try RingDirectory()
      #expect(try camgate("quarantine", ring.url.path) == ["0 frames, 0 KiB"])
      let quarantine = Quarantine(directory: Quarantine.directory(ofRing: ring.url.path), log: Log { _ in })
      quarantine.keep(
        RefusedFrame(
          camera: "gate", topic: "cameras", id: "00000000000000ab-7-3", time: "2026-11-23T19:00:00.123456789Z",
          contentType: "image/jpeg", reason: "INVALID_TIMESTAMP", bytes: [UInt8](repeating: 1, count: 3_000)))
      quarantine.close()
      let lines = try camgate("quarantine", ring.url.path)
      #expect(lines.count == 2)
      #expect(lines.first?.contains("/quarantine/gate-00000000000000ab-7-3.json: {") == true, "\(lines)")
      #expect(lines.first?.contains("INVALID_TIMESTAMP") == true)
      #expect(lines.last == "1 frame, 2 KiB")
      struct Line: Decodable { let reason: String }
      let line: Line = try parsed(try #require(try camgate("quarantine", ring.url.path, "--json").last))
      #expect(line.reason == "INVALID_TIMESTAMP")
    }

    /// What a gateway leaves behind when Kafka never came: everything is in the ring, sound, and can be watched.
    @Test func whatAGatewayLeavesCanBeInspectedAndWatched() throws {
      let cameras = try Testbed.cameras("gate=h264", "hall=h265", "yard=mjpeg")
      let codecs = ["gate": "h264", "hall": "hevc", "yard": "mjpeg"]
      let ring = try RingDirectory()
      let gateway = try ring.gateway(
        brokers: "127.0.0.1:\(try Testbed.freePort())",
        try codecs.keys.sorted().map { Gateway.Camera($0, try cameras.url($0)) }, "write: always", reportsSecured: true)
      for name in codecs.keys { try gateway.waitForSecured(name, 40) }
      let running = try camgate("inspect", ring.url.path)
      #expect(running.contains { $0.contains("another process has it open") }, "\(running)")
      try gateway.stop()
      let captured = try gateway.count(" frames captured")

      let line = try #require(try camgate("inspect", ring.url.path, "--json").last)
      let contents: Contents = try parsed(line)
      #expect(contents.streams.map(\.frames).reduce(0, +) == captured, "\(line)")
      #expect(contents.streams.allSatisfy { $0.frames == $0.undeliveredFrames })
      #expect(try camgate("verify", ring.url.path).last == "\(captured) frames are sound, 0 are damaged")

      for text in try camgate("export", ring.url.path, "--to", ring.url.path, "--json") {
        let exported: Exported = try parsed(text)
        #expect(exported.frames == contents.streams.first { $0.camera == exported.camera }?.frames)
        let question = ["-count_frames", "-show_entries", "stream=codec_name,nb_read_frames", "-of", "json"]
        let probe = try Child("ffprobe", ["-v", "error"] + question + [exported.file])
        #expect(try probe.waitForExit() == .code(0) && probe.errors.isEmpty, "\(probe.transcript)")
        let counted: Counted = try parsed(probe.output.joined())
        #expect(counted.streams.map(\.codecName) == [codecs[exported.camera] ?? ""])
        #expect(counted.streams.map(\.nbReadFrames) == ["\(exported.frames)"], "\(exported)")
      }
    }

    /// One bit of a copy from a dead board is wrong: it is found, named, and left out of what is exported.
    @Test func damageIsFound() throws {
      let ring = try RingDirectory()
      let gateway = try ring.gateway(
        brokers: "127.0.0.1:\(try Testbed.freePort())", [Gateway.Camera("gate", "test:320x240@10")], "write: always",
        reportsSecured: true)
      try gateway.waitForSecured("gate", 20)
      gateway.child.signal(SIGKILL)
      _ = try gateway.child.waitForExit()

      let sound = try #require(try camgate("verify", ring.url.path).last { $0.contains("are sound") })
      #expect(sound.hasSuffix(", 0 are damaged"), "\(sound)")
      let file = ring.url.appending(path: "segment-00000")
      var bytes = try Data(contentsOf: file)
      let picture = try #require(bytes.range(of: Data([0xff, 0xd8, 0xff])))
      bytes[picture.lowerBound + 500] ^= 4
      try bytes.write(to: file)
      let report = try camgate("verify", ring.url.path, code: 1)
      #expect(report.contains { $0.contains("segment-00000") && $0.contains("damagedBody") }, "\(report)")
      #expect(try camgate("export", ring.url.path, "--camera", "yard", "--to", ring.url.path, code: 1).isEmpty)
      #expect(try camgate("inspect", ring.url.appending(path: "nothing").path, code: 1).isEmpty)
    }
  }
}
