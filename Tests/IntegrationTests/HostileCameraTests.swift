import Broker
import Foundation
import Frames
import Posix
import Testing

@testable import Capture

extension IntegrationTests.CameraSide {
  /// Cameras that mean harm, and others who pose as one.
  @Suite struct HostileCameraTests {
    /// Frames of 60 MB, one after another: what they take is bounded by what a frame may be.
    @Test func hugeFramesTakeNoMemory() throws {
      let responder = try Testbed.responder()
      let broker = try MockCluster(brokerCount: 1)
      let gateway = try Gateway(brokers: broker.address, [Gateway.Camera("huge", try responder.url("huge"))])
      try Self.wait(for: 4, "huge", responder)
      let peak = try Self.peakMemory(of: gateway.child) >> 20
      // An FFmpeg without our patches has only av_max_alloc, for each of several copies.
      #expect(peak < (ffmpegMarksGaps ? 128 : 512), "\(peak) MiB")
      print("frames of 60 MB: a peak of \(peak) MiB")
      try gateway.waitForLog("camera huge: more than limits.frame allows")
      try gateway.stop()
      #expect(gateway.child.errors.contains { $0.contains("(limited: more than the camera's limits allow)") })
    }

    /// What a keyframe says of its size takes no pictures of that size.
    @Test func vastPicturesTakeNoMemory() throws {
      let responder = try Testbed.responder()
      let broker = try MockCluster(brokerCount: 1)
      let gateway = try Gateway(brokers: broker.address, [Gateway.Camera("vast", try responder.url("vast"))])
      try Self.wait(for: 4, "vast", responder)
      let peak = try Self.peakMemory(of: gateway.child) >> 20
      print("pictures of 8064 x 8064: a peak of \(peak) MiB")
      #expect(peak < 128, "\(peak) MiB")
      try gateway.stop()
    }

    /// Packets that nobody can read leave nothing behind.
    @Test func packetsThatAreRefusedTakeNoMemory() throws {
      let responder = try Testbed.responder()
      let broker = try MockCluster(brokerCount: 1)
      let gateway = try Gateway(brokers: broker.address, [Gateway.Camera("undefined", try responder.url("undefined"))])
      try Self.wait(for: 4, "undefined", responder)
      let before = try Self.peakMemory(of: gateway.child)
      try Self.wait(for: 16, "undefined", responder)
      let growth = (try Self.peakMemory(of: gateway.child) - before) >> 20
      print("240,000 packets of no kind: \(growth) MiB more")
      #expect(growth < (ffmpegMarksGaps ? 12 : 160))
      try gateway.stop()
    }

    /// A description that names one payload after another leaves none of them behind.
    @Test func payloadsThatAreNamedOftenTakeNoMemory() throws {
      let responder = try Testbed.responder()
      let broker = try MockCluster(brokerCount: 1)
      let gateway = try Gateway(brokers: broker.address, [Gateway.Camera("often", try responder.url("named-often"))])
      try Self.wait(for: 2, "play", responder)
      let before = try Self.peakMemory(of: gateway.child)
      try Self.wait(for: 6, "play", responder)
      let growth = (try Self.peakMemory(of: gateway.child) - before) >> 20
      print("four descriptions with 2,000 payloads: \(growth) MiB more")
      #expect(growth < (ffmpegMarksGaps ? 12 : 400))
      try gateway.stop()
    }

    /// Addresses before all tracks belong to each track: there are few of them.
    @Test func addressesOfADescriptionTakeNoMemory() throws {
      let responder = try Testbed.responder()
      let broker = try MockCluster(brokerCount: 1)
      let gateway = try Gateway(brokers: broker.address, [Gateway.Camera("many", try responder.url("many-sources"))])
      // An FFmpeg without our patches goes on taking memory behind that, up to some 550 MiB.
      try Self.wait(for: 1, "play", responder)
      let peak = try Self.peakMemory(of: gateway.child) >> 20
      print("2,000 addresses, 1,000 tracks: a peak of \(peak) MiB")
      #expect(peak < (ffmpegMarksGaps ? 128 : 1_024))
      try gateway.stop()
    }

    /// Formats that Camgate does not take are not parsed, whatever a description makes of them. An FFmpeg without our
    /// patches may end the process, as README says: of that one only the first connection is asked for.
    @Test func realMediaDoesNotEndTheProcess() throws {
      let responder = try Testbed.responder()
      let broker = try MockCluster(brokerCount: 1)
      let gateway = try Gateway(brokers: broker.address, [Gateway.Camera("real", try responder.url("real-jpeg"))])
      // Nothing of use comes, and it connects again.
      try Self.wait(for: ffmpegMarksGaps ? 2 : 1, "play", responder)
      if ffmpegMarksGaps { try gateway.stop() }
    }

    /// A redirect to another host is refused before anything goes there, a connection included.
    @Test func noConnectionGoesWhereARedirectLeads() throws {
      let responder = try Testbed.responder()
      let source = Self.source(try responder.url("redirect-elsewhere"))
      #expect(throws: CaptureError.self) { try source.open() }
      let steady = Self.source(try responder.url("steady"))
      #expect(try steady.open().codec == .h264)
      steady.close()
      // What the responder says of this camera comes last.
      _ = try responder.child.waitForOutput { $0.contains(#""event": "play", "camera": "steady""#) }
      let connections = responder.child.output.count { $0.contains(#""event": "connect""#) }
      #expect(connections == (ffmpegMarksGaps ? 2 : 3))
    }

    /// Who poses as the camera asks for Basic; without TLS the password stays here, unless `auth: basic` is written.
    @Test func thePasswordDoesNotGoOutInClear() throws {
      let responder = try Testbed.distantResponder()
      let file = FileManager.default.temporaryDirectory.appending(path: "camgate-test-\(UUID().uuidString)")
      try Data((OddPassword.all[0] + "\n").utf8).write(to: file)
      defer { try? FileManager.default.removeItem(at: file) }
      let login = ["--username", "odd user", "--password-file", file.path, "--seconds", "1"]
      let probe = try Testbed.camgate(beside: responder, ["probe", try responder.url("login")] + login)
      #expect(try probe.waitForExit() == .code(ffmpegMarksGaps ? 1 : 0), "\(probe.transcript)")
      _ = try responder.child.waitForOutput { $0.contains(#""event": "gone""#) }
      let sent = responder.child.output.count { $0.contains(#""scheme": "Basic""#) }
      #expect((sent == 0) == ffmpegMarksGaps, "the password went out \(sent) times")
      let said = probe.output.contains { $0.hasPrefix("does not work: ") && $0.hasSuffix("auth: basic") }
      #expect(said == ffmpegMarksGaps, "\(probe.transcript)")
      let allowed = try Testbed.camgate(
        beside: responder, ["probe", try responder.url("login"), "--auth", "basic"] + login)
      #expect(try allowed.waitForExit() == .code(0), "\(allowed.transcript)")
      #expect(allowed.output.contains("    auth: basic"), "\(allowed.transcript)")
    }

    /// A camera is reached though the first of its name's addresses swallows what is sent there.
    @Test func anAddressThatSwallowsEverythingKeepsNobodyOut() throws {
      let responder = try Testbed.distantResponder()
      let url = try responder.url("steady").replacing("192.0.2.1", with: "two-ways")
      let probe = try Testbed.camgate(beside: responder, ["probe", url, "--seconds", "1"])
      #expect(try probe.waitForExit() == .code(0), "\(probe.transcript)")
    }

    /// 15,000 pictures a second do not come in, whatever they are.
    @Test func aFloodIsHeldBack() throws {
      let responder = try Testbed.responder()
      let seen = Monitor((count: 0, gaps: Set<Gap.Reason>()))
      let camera = Camera(
        CameraDescription(
          name: try #require(CameraName("flood")),
          source: .rtsp(url: try responder.url("flood"), login: nil, transport: .tcp)), log: Log { _ in }
      ) { frame in
        seen.withLock { seen in
          seen.count += 1
          if let reason = frame.gap?.reason { seen.gaps.insert(reason) }
        }
      }
      let start = MonotonicTime.now()
      camera.start()
      let isHeld = seen.wait(until: start + .hangLimit) { seen in
        seen.gaps.contains(.limited) && camera.limitedCount > 5_000 ? true : nil
      }
      #expect(isHeld == true)
      camera.stop()
      #expect(camera.join(until: .now() + .hangLimit))
      let limit = 240 * (11 + Int((MonotonicTime.now() - start).inSeconds))
      let (count, gaps) = seen.read { $0 }
      #expect(count < limit && gaps == [.limited], "\(count) frames, \(gaps)")
    }

    /// Waits until a camera has done something so many times.
    private static func wait(for count: Int, _ event: String, _ responder: Server) throws {
      var next = 0
      for _ in 0..<count {
        next = try responder.child.waitForOutput(from: next) { $0.contains(#""event": "\#(event)""#) }.1 + 1
      }
    }

    private static func source(_ url: String) -> RTSPSource {
      RTSPSource(
        url: url, login: nil, transport: .tcp, interrupt: Interrupt(), notes: FFmpegNotes(log: Log { _ in }),
        log: Log { _ in })
    }

    /// The most bytes that were resident (proc_pid_status(5)).
    private static func peakMemory(of child: Child) throws -> Int {
      let text = try String(contentsOfFile: "/proc/\(child.processID)/status", encoding: .utf8)
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
      return try #require(Int(line.split { $0 == " " || $0 == "\t" }[1])) << 10
    }
  }
}
