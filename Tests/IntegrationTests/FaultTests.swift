import CFFmpeg
import Foundation
import Frames
import Glibc
import Posix
import Testing

@testable import Capture

extension IntegrationTests.CameraSide {
  /// Cameras that do what cameras do. All rows of the table run at once, beside a camera that nothing happens to, and in a
  /// gateway's sandbox.
  @Suite struct FaultTests {
    static let login = CameraDescription.Login(username: "odd user", password: OddPassword.all[0])

    private static func description(
      _ name: String, _ url: String, _ transport: CameraDescription.RTSPTransport = .tcp
    ) throws -> CameraDescription {
      var timeouts = CameraDescription.Timeouts()
      // From frame to frame the usual five seconds: a machine that is busy with other things takes two now and then.
      (timeouts.connect, timeouts.firstFrame) = (.seconds(4), .seconds(8))
      return CameraDescription(
        name: try #require(CameraName(name)), source: .rtsp(url: url, login: login, transport: transport),
        timeouts: timeouts)
    }

    @Test func everyFaultIsSurvived() throws {
      let responder = try Testbed.responder()
      let clips = try ShownClips(responder.clips)
      let steady = try Testbed.responder()
      let witness = WatchedCamera(try Self.description("witness", steady.url("steady")), clips: clips)
      let start = MonotonicTime.now()
      let sandbox = Confined()
      let rows = try sandbox.run {
        try faultTable.map { fault in
          let url = try responder.url(fault.dialogue)
          return (fault, WatchedCamera(try Self.description(fault.dialogue, url, fault.transport), clips: clips))
        }
      }
      var table: [String] = []
      for (fault, camera) in rows {
        let isThere = camera.wait { record in
          record.countAfterGap >= fault.frames && record.gaps.count >= (fault.gaps?.count ?? fault.leastHoleCount)
            && fault.says.allSatisfy { text in record.lines.contains { $0.contains(text) } }
        }
        let record = camera.record.read { $0 }
        var complaints = isThere ? [] : ["hangs: \(record.lines.suffix(12))"]
        complaints += Self.complaints(about: record, fault)
        #expect(complaints.isEmpty, "\(fault.dialogue): \(complaints.joined(separator: "; "))")
        table.append(try Self.line(fault, record, start))
      }
      print("\n| sent | what Camgate must do | the records say | allowed | measured |\n| --- | --- | --- | --- | --- |")
      print(table.joined(separator: "\n"))
      for (fault, camera) in rows { #expect(camera.stop(), "\(fault.dialogue) does not stop") }
      #expect(witness.stop())
      #expect(sandbox.refusals.isEmpty, "\(sandbox.refusals)")

      let seen = witness.record.read { $0 }
      #expect(Self.complaints(about: seen, Fault(dialogue: "witness", must: "miss nothing")).isEmpty)
      #expect(seen.seen.count >= 90, "the witness saw only \(seen.seen.count) frames")
      let events = responder.child.output
      for name in ["steady", "clock-ahead"] {
        let camera = try #require(rows.first { $0.0.dialogue == name }).1
        let told = try #require(events.lazy.compactMap { Play($0) }.first { $0.camera == name })
        let errors = camera.record.read { $0.seen }.enumerated().compactMap { index, seen in
          seen.frame.clock == .camera ? seen.frame.captureTime - told.clock - Int64(index) * 1_000_000_000 / 30 : nil
        }
        // The share of a second in a report has 32 bits, FFmpeg hands it on in microseconds.
        let worst = errors.max { abs($0) < abs($1) } ?? 0
        #expect(abs(worst) < 20_000, "\(name): a frame is dated \(worst) ns off")
        #expect(camera.record.read { $0.seen.count { $0.frame.clock == .camera } } > 60)
      }
      #expect(!events.contains { $0.contains(#""camera": "trap""#) }, "a redirect to another host was followed")
      #expect(events.contains { $0.contains(#""agent": "camgate""#) })
      let goodbyes = events.count { $0.contains(#""camera": "freeze", "method": "TEARDOWN""#) }
      #expect(goodbyes == 2, "one at the end, and one although the deadline had passed")
    }

    /// The machines that cameras are: off at the start, rebooted (gone for five seconds), and hung for twenty, with their
    /// connections open. Once a camera is back, the next attempt brings its pictures.
    @Test func camerasThatGoAndComeBack() throws {
      let ports = try [Testbed.freePort(), Testbed.freePort(), Testbed.freePort()]
      let (rebooted, hung) = (try Testbed.responder(port: ports[1]), try Testbed.responder(port: ports[2]))
      let clips = try ShownClips(rebooted.clips)
      let cameras = try ["off-at-start", "rebooted", "hung"].enumerated().map { index, name in
        WatchedCamera(try Self.description(name, "rtsp://127.0.0.1:\(ports[index])/steady"), clips: clips)
      }
      for camera in cameras[1...] { #expect(camera.wait { $0.seen.count >= 45 }) }
      try rebooted.kill()
      hung.child.signal(SIGSTOP)
      let start = MonotonicTime.now()
      // The time that passes is the fault itself.
      #expect(!cameras[1].wait(until: start + .seconds(5)) { $0.gaps.count > 0 }, "it is off")
      let returned = [try Testbed.responder(port: ports[1]), try Testbed.responder(port: ports[0])]
      let backTime = MonotonicTime.now()
      #expect(!cameras[2].wait(until: start + .seconds(20)) { $0.gaps.count > 0 }, "it hangs")
      hung.child.signal(SIGCONT)
      print("\n| camera | the records say | allowed | measured |\n| --- | --- | --- | --- |")
      let awakeTime = MonotonicTime.now()
      for (camera, gaps) in zip(cameras, [[], [Gap.Reason.camera], [.camera]]) {
        #expect(camera.wait { $0.gaps.count == gaps.count && $0.countAfterGap >= 60 })
        let record = camera.record.read { $0 }
        let complaints = Self.complaints(about: record, Fault(dialogue: "steady", must: "", gaps: gaps))
        #expect(complaints.isEmpty, "\(camera.name): \(complaints)")
        let isBack = camera.name.text == "hung" ? awakeTime : backTime
        // The one that was under way may still fail.
        #expect(record.waits.count { $0.time > isBack } <= 1, "\(camera.name): \(record.lines.suffix(12))")
        let recovery = try #require(record.recovery(since: isBack))
        print("| \(camera.name) | \(Self.holes(record)) | the next attempt | pause + \(Self.tenths(recovery)) |")
        #expect(camera.stop())
      }
      withExtendedLifetime(returned) {}
    }

    /// The pinned FFmpeg marks the one access unit that has the gap inside, any other none: what Camgate does about those
    /// is in RTSPSource.
    @Test func gapsAreMarkedByThePatchedFFmpeg() throws {
      let responder = try Testbed.responder()
      let demuxer = try Demuxer(
        url: responder.url("lost-inside"), options: [("rtsp_transport", "tcp")], isLive: true, interrupt: Interrupt(),
        notes: FFmpegNotes(log: Log { _ in }))
      var packet = av_packet_alloc()
      defer { av_packet_free(&packet) }
      let read = try #require(packet)
      let marked = try (0..<90).filter { _ in
        try demuxer.read(into: read)
        return read.pointee.flags & AV_PKT_FLAG_CORRUPT != 0
      }
      #expect(marked == (ffmpegMarksGaps ? [45] : []))
    }

    /// Thirty connections one after another, each of which breaks: not one socket stays.
    @Test func connectionsLeaveNoSockets() throws {
      let responder = try Testbed.responder()
      let source = RTSPSource(
        url: try responder.url("closes-soon"), login: Self.login, transport: .tcp, interrupt: Interrupt(),
        notes: FFmpegNotes(log: Log { _ in }), log: Log { _ in })
      for round in 0..<30 {
        #expect(try source.open().codec == .h264)
        #expect(throws: CaptureError.self) { while true { _ = try source.read() } }
        source.close()
        #expect(socketCount(to: responder.port) == 0, "connection \(round) is still open")
      }
      #expect(responder.child.output.count { $0.contains(#""connect""#) } == 30)
    }

    /// The sockets of this process that are connected to a port of 127.0.0.1.
    private func socketCount(to port: Int) -> Int {
      (Int32(0)..<1_024).count { descriptor in
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutableBytes(of: &address) { bytes in
          getpeername(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
        }
        return code == 0 && Int(UInt16(bigEndian: address.sin_port)) == port
      }
    }

    /// What is wrong with what a camera delivered.
    static func complaints(about record: WatchedCamera.Record, _ fault: Fault) -> [String] {
      let seen = record.seen
      var complaints = fault.check(record)
      if let gaps = fault.gaps {
        if record.gaps != gaps { complaints.append("holes: \(record.gaps), expected \(gaps)") }
      } else if record.gaps.contains(where: { $0 != .network }) {
        complaints.append("holes: \(record.gaps)")
      }
      for (index, item) in seen.enumerated() {
        guard let shown = item.shown else {
          complaints.append("frame \(index) is no whole frame")
          continue
        }
        if (index == 0 || item.frame.gap != nil) && !item.frame.isKeyframe {
          complaints.append("frame \(index) begins without a keyframe")
        }
        guard index > 0, let before = seen[index - 1].shown else { continue }
        let isNext = shown.number == (before.number + 1) % shown.frameCount
        let isMissed = fault.dialogue == "channel" && shown.number == before.number + 2
        if !isNext && !isMissed && item.frame.gap == nil {
          complaints.append("\(shown.number) follows \(before.number), and no hole is told of")
        }
        complaints += Self.complaints(aboutMediaTimeOf: item.frame, seen[..<index])
      }
      return Array((complaints + record.disorder).prefix(8))
    }

    /// Behind a connection that was made anew media time is later than all before, by the time that passed here.
    private static func complaints(aboutMediaTimeOf frame: Frame, _ before: ArraySlice<WatchedCamera.Seen>) -> [String]
    {
      guard frame.gap?.reason == .camera, let last = before.last?.frame, let latest = before.map(\.frame.pts).max()
      else { return [] }
      let passed = (frame.bootTime ?? 0) - (last.bootTime ?? 0)
      // Reordered pictures: the hole lies in front of the first decoding time, by a few frames.
      return (passed...passed + 200_000_000).contains(frame.pts - latest)
        ? [] : ["media time goes on by \(frame.pts - latest) ns over a hole of \(passed) ns"]
    }

    private static func line(_ fault: Fault, _ record: WatchedCamera.Record, _ start: MonotonicTime) throws -> String {
      let file = Testbed.root.appending(path: "Tests/Fixtures/rtsp/\(fault.dialogue).toml")
      let sent = try #require(try String(contentsOf: file, encoding: .utf8).split(separator: "\n").first)
      let recovery = record.recovery(since: start)
      let isReconnected = recovery != nil && fault.frames > 0
      let allowed = isReconnected ? "the next attempt" : record.gaps.isEmpty ? "–" : "to the next whole keyframe"
      let measured =
        isReconnected
        ? "pause + \(tenths(recovery ?? .zero))" : record.gaps.isEmpty ? "–" : tenths(record.longestSilence)
      let transport = fault.transport == .tcp ? "" : " (\(fault.transport.rawValue))"
      return
        "| \(fault.dialogue)\(transport): \(sent.dropFirst(2)) | \(fault.must) | \(holes(record)) | \(fault.allowed ?? allowed) | \(measured) |"
    }

    private static func holes(_ record: WatchedCamera.Record) -> String {
      let counts = Dictionary(record.gaps.map { ($0.rawValue, 1) }, uniquingKeysWith: +)
      let holes = counts.sorted { $0.key < $1.key }.map { "\($0.key)" + ($0.value > 1 ? " ×\($0.value)" : "") }
      return "\(record.seen.count) frames" + (holes.isEmpty ? "" : "; gap: " + holes.joined(separator: ", "))
    }

    private static func tenths(_ duration: Duration) -> String {
      "\((max(0, duration.inSeconds) * 100).rounded() / 100) s"
    }
  }
}
