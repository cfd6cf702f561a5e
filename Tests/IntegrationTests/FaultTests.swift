import Capture
import Frames
import Posix
import Testing

extension IntegrationTests {
  /// Cameras that do what cameras do. All rows of the table run at once, beside a camera that nothing happens to.
  @Suite struct FaultTests {
    static let login = CameraDescription.Login(username: "odd user", password: "p@ss:w0rd %41 ü")
    /// The password, and what it looks like percent-encoded and in a basic login (RFC 7617).
    static let secrets = ["p@ss:w0rd", "%41 ü", "p%40ss%3Aw0rd", "p%40ss%3aw0rd", "b2RkIHVzZXI6"]

    private static func description(
      _ name: String, _ url: String, _ transport: CameraDescription.RTSPTransport = .tcp
    ) throws -> CameraDescription {
      var timeouts = CameraDescription.Timeouts()
      (timeouts.connect, timeouts.firstFrame, timeouts.nextFrame) = (.seconds(4), .seconds(4), .seconds(2))
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
      let rows = try faultTable.map { fault in
        let url = try responder.url(fault.dialogue)
        return (fault, WatchedCamera(try Self.description(fault.dialogue, url, fault.transport), clips: clips))
      }
      var table: [String] = []
      for (fault, camera) in rows {
        let isThere = camera.wait(until: start + .seconds(Int64(fault.seconds))) { record in
          record.countAfterGap >= fault.frames && record.gaps.count >= (fault.gaps?.count ?? 1)
            && fault.says.allSatisfy { text in record.lines.contains { $0.contains(text) } }
        }
        let record = camera.record.read { $0 }
        var complaints = isThere ? [] : ["not there after \(fault.seconds) s: \(record.lines.suffix(12))"]
        complaints += Self.complaints(about: record, fault)
        #expect(complaints.isEmpty, "\(fault.dialogue): \(complaints.joined(separator: "; "))")
        table.append(Self.line(fault, record, start))
      }
      print("| sent | must | frames | holes | longest silence |\n| --- | --- | --- | --- | --- |")
      print(table.joined(separator: "\n"))
      for (fault, camera) in rows { #expect(camera.stop(), "\(fault.dialogue) does not stop") }
      #expect(witness.stop())

      let seen = witness.record.read { $0 }
      #expect(Self.complaints(about: seen, Fault(dialogue: "witness", must: "miss nothing")).isEmpty)
      #expect(seen.seen.count >= 90, "the witness saw only \(seen.seen.count) frames")
      let lines = rows.flatMap { $0.1.record.read { $0.lines } } + responder.child.errors
      let shown = lines.filter { line in Self.secrets.contains(where: line.contains) }
      #expect(shown.isEmpty, "\(shown)")
      let events = responder.child.output
      for name in ["steady", "clock-ahead"] {
        let camera = try #require(rows.first { $0.0.dialogue == name }).1
        let told = try #require(events.lazy.compactMap { Play($0) }.first { $0.camera == name })
        for (index, seen) in camera.record.read({ $0.seen }).enumerated() {
          // The share of a second in a report has 32 bits, FFmpeg hands it on in microseconds.
          let error = seen.frame.captureTime - told.clock - Int64(index) * 1_000_000_000 / 30
          #expect(
            abs(error) < 20_000 || seen.frame.clock != .camera, "\(name): frame \(index) is dated \(error) ns off")
        }
        #expect(camera.record.read { $0.seen.count { $0.frame.clock == .camera } } > 60)
      }
      #expect(!events.contains { $0.contains(#""camera": "trap""#) }, "a redirect to another host was followed")
      #expect(events.contains { $0.contains(#""agent": "camgate""#) })
    }

    /// What the responder says when a camera begins to play: its own time at the first frame.
    private struct Play {
      var camera: String
      var clock: Int64

      init?(_ line: String) {
        guard let event = line.firstMatch(of: #/^EVENT .*"play", "camera": "([^"]+)".*"ntp": (\d+)/#),
          let clock = Int64(event.output.2)
        else { return nil }
        (camera, self.clock) = (String(event.output.1), clock)
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
        if !isNext && !isMissed && item.frame.gap == nil && !(fault.switches && shown.number == 0) {
          complaints.append("\(shown.number) follows \(before.number), and no hole is told of")
        }
        if item.frame.captureTime <= seen[index - 1].frame.captureTime {
          complaints.append("capture time runs backwards at frame \(index)")
        }
      }
      return Array(complaints.prefix(8))
    }

    private static func line(_ fault: Fault, _ record: WatchedCamera.Record, _ start: MonotonicTime) -> String {
      let holes = record.gaps.map(\.rawValue).joined(separator: " ")
      let silence = (record.longestSilence.inSeconds * 10).rounded() / 10
      return
        "| \(fault.dialogue) (\(fault.transport.rawValue)) | \(fault.must) | \(record.seen.count) | \(holes) | \(silence) s |"
    }
  }
}
