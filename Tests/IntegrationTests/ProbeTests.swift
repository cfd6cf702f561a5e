import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// What an installer runs first, against real cameras.
  @Suite struct ProbeTests {
    struct Report: Decodable {
      let works: Bool
      let error: String?
      let codec: String?
      let width: Int?
      let height: Int?
      let fps: Double?
      let mediaFps: Double?
      let bitrate: Double?
      let keyframeFrames: Int?
      let clock: String?
      let transport: String?
      let username: String?
      let losses: Int?
      let reordering: Bool?
      let ignoredTracks: [String]
    }

    let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-test-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true) }

    private func probe(_ arguments: [String]) throws -> (Report, Exit, Child) {
      let child = try Child(Testbed.camgate, ["probe", "--json"] + arguments)
      let exit = try child.waitForExit()
      let line = try #require(child.output.last, "\(child.transcript)")
      return (try JSONDecoder().decode(Report.self, from: Data(line.utf8)), exit, child)
    }

    @Test func everyKindOfCamera() throws {
      let cameras = try Testbed.cameras("a=h264", "b=h264b+aac", "c=h265", "d=mjpeg")
      let expected: [(String, String, String, Double, Int?)] = [
        ("a", "tcp", "h264", 30, 30), ("b", "udp", "h264", 25, 25), ("c", "tcp", "h265", 25, 25),
        ("d", "tcp", "mjpeg", 15, 1),
      ]
      for (name, transport, codec, fps, keyframes) in expected {
        let picture = directory.appending(path: "\(name).jpg").path
        let (report, exit, child) = try probe([
          try cameras.url(name), "--seconds", "4", "--transport", transport, "--picture", picture,
        ])
        #expect(exit == .code(0), "\(child.transcript)")
        #expect(report.works && report.codec == codec && report.transport == transport)
        #expect((report.width, report.height) == (640, 480))
        // By the camera's clock exact; as they came, whatever this machine is busy with.
        #expect(try abs(#require(report.mediaFps) - fps) < 0.05 * fps, "\(report)")
        #expect(try (fps / 2...fps * 2).contains(#require(report.fps)), "\(report)")
        #expect(report.keyframeFrames == keyframes, "\(report)")
        #expect(try #require(report.bitrate) > 10_000 && report.losses == 0)
        #expect(report.reordering == (name == "b"))
        #expect(report.ignoredTracks.isEmpty, "only pictures are asked for")
        #expect(child.errors.contains { $0.contains("measuring for 4 s") })
        try expectPicture(picture)
      }
    }

    /// FFmpeg's own tool decodes it, and it is the test cameras' picture: colourful, and as large as they say.
    private func expectPicture(_ path: String) throws {
      let ffprobe = try Child(
        "/usr/bin/env",
        ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", path])
      #expect(try ffprobe.waitForExit() == .code(0))
      #expect(ffprobe.output == ["mjpeg,640,480"], "\(ffprobe.transcript)")
      #expect(try Data(contentsOf: URL(filePath: path)).count > 10_000)
    }

    @Test func logins() throws {
      let cameras = try Testbed.cameras("a=h264", options: ["--login", "viewer:hunter2-p@ss/word"])
      let file = directory.appending(path: "secret").path
      try Data("hunter2-p@ss/word\n".utf8).write(to: URL(filePath: file))
      let (report, exit, good) = try probe([
        try cameras.url("a"), "--seconds", "1", "--username", "viewer", "--password-file", file, "--verbose",
      ])
      #expect(exit == .code(0) && report.works && report.username == "viewer", "\(good.transcript)")
      let (refused, refusal, bad) = try probe([
        try cameras.url("a").replacing("//", with: "//viewer:hunter2-wr%40ng@"), "--verbose",
      ])
      #expect(refusal == .code(1) && !refused.works, "\(bad.transcript)")
      #expect(refused.error?.contains("401") == true && refused.error?.contains("password") == true)
      for child in [good, bad] {
        #expect(!(child.output + child.errors).contains { $0.contains("hunter2") }, "\(child.transcript)")
      }
    }

    @Test func whatDoesNotWorkIsSaidWithItsRemedy() throws {
      let deaf = try Testbed.cameras("deaf=aac")
      let cases = [
        ("rtsp://127.0.0.1:\(try Testbed.freePort())/gate", "nothing listens"),
        ("usb:NONE", "no camera with the serial"),
        (try deaf.url("deaf"), "no H.264, H.265 or MJPEG video"),
        (try deaf.url("deaf").replacing("deaf", with: "else"), "404"),
        ("/dev/null", "no video device"), ("/dev/video-of-nobody", "no such device"),
      ]
      for (camera, text) in cases {
        let (report, exit, child) = try probe([camera])
        #expect(exit == .code(1) && !report.works, "\(child.transcript)")
        #expect(report.error?.contains(text) == true, "\(report)")
      }
    }

    /// What `auto` does of itself is no failure, and how it ended is said.
    @Test func aCameraWithoutUDP() throws {
      let responder = try Testbed.responder()
      let url = try responder.url("tcp-only")
      let child = try Child(Testbed.camgate, ["probe", url, "--transport", "auto", "--seconds", "1"])
      #expect(try child.waitForExit(timeout: 120) == .code(0), "\(child.transcript)")
      #expect(child.output.contains { $0.contains("auto (tcp in use)") }, "\(child.transcript)")
      let (report, exit, udp) = try probe([url, "--transport", "udp"])
      #expect(exit == .code(1) && !report.works, "\(udp.transcript)")
    }

    /// A camera that breaks off while it is measured does not work, and what came until then is said.
    @Test func aCameraThatBreaksOff() throws {
      let camera = try Testbed.cameras("a=h264")
      let child = try Child(Testbed.camgate, ["probe", try camera.url("a"), "--seconds", "60"])
      try child.waitForErrors { $0.contains("2.0 s: ") || $0.contains("2.1 s: ") }
      try camera.kill()
      #expect(try child.waitForExit() == .code(1))
      #expect(child.output.contains { $0.contains("does not work: after ") }, "\(child.transcript)")
      #expect(child.output.contains { $0.contains("a second") })
    }

    /// An order to stop ends the measuring, not the report.
    @Test func stopping() throws {
      let child = try Child(Testbed.camgate, ["probe", "test:64x64@50", "--seconds", "3600"])
      try child.waitForErrors { $0.contains("frames") }
      child.signal(SIGINT)
      #expect(try child.waitForExit() == .code(0))
      #expect(child.output.contains { $0.hasPrefix("works") }, "\(child.transcript)")
    }

    @Test(arguments: [
      ["rstp://10.0.0.1/1"], ["10.0.0.1"], ["usb:X", "--transport", "udp"], ["usb:X", "--format", "strange"],
      ["rtsp://10.0.0.1/1", "--password-file", "/nowhere", "--username", "a"], ["test:", "--seconds", "0"],
    ])
    func badUsage(_ arguments: [String]) throws {
      let child = try Child(Testbed.camgate, ["probe"] + arguments)
      #expect(try child.waitForExit() == .code(64), "\(child.transcript)")
      #expect(!child.errors.isEmpty && child.output.isEmpty)
    }
  }
}
