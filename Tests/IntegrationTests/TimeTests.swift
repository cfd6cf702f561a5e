import Capture
import Frames
import Posix
import Testing

extension IntegrationTests.CameraSide {
  /// Cameras whose times are odd: all rows of the table of times at once.
  @Suite struct TimeTests {
    @Test func timesAreRight() throws {
      let responder = try Testbed.responder()
      let clips = try ShownClips(responder.clips)
      let start = MonotonicTime.now()
      let rows = try timeTable.map { fault in
        let description = CameraDescription(
          name: try #require(CameraName(fault.dialogue)),
          source: .rtsp(url: try responder.url(fault.dialogue), login: nil, transport: .tcp))
        return (fault, WatchedCamera(description, clips: clips, keepsPayload: fault.isMuxed))
      }
      print("\n| sent | records | dated by arrival | complaints |\n| --- | --- | --- | --- |")
      for (fault, camera) in rows {
        #expect(
          camera.wait(until: start + .hangLimit + .seconds(fault.frames / 25)) { record in
            record.seen.count >= fault.frames && record.gaps.count >= fault.reconnects && record.countAfterGap >= 30
          }, "\(fault.dialogue): not there")
        #expect(camera.stop())
        let record = camera.record.read { $0 }
        let clock = try #require(
          responder.child.output.lazy.compactMap { Play($0) }.first { $0.camera == fault.dialogue })
        var complaints = fault.complaints(about: record, clock: clock.clock)
        if fault.isMuxed { complaints += Muxing.refusals(of: record.seen.map(\.frame)) }
        #expect(complaints.isEmpty, "\(fault.dialogue): \(complaints.prefix(8).joined(separator: "; "))")
        let arrivals = record.shown.count { $0.clock != .camera }
        print("| \(fault.dialogue) | \(record.seen.count) | \(arrivals) | \(complaints.count) |")
      }
    }
  }
}

/// What the responder says when a camera begins to play: its own time at the first frame.
struct Play {
  var camera: String
  var clock: Int64

  init?(_ line: String) {
    guard let event = line.firstMatch(of: #/^EVENT .*"play", "camera": "([^"]+)".*"ntp": (\d+)/#),
      let clock = Int64(event.output.2)
    else { return nil }
    (camera, self.clock) = (String(event.output.1), clock)
  }
}
