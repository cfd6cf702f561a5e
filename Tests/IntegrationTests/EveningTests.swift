import Capture
import Foundation
import Frames
import Posix
import Testing

extension IntegrationTests.CameraSide {
  /// Twelve cameras of three makes at once, most of them odd. `CAMGATE_EVENING`: for how many seconds, with VLC's and with
  /// cameras that take half a minute to come.
  @Suite struct EveningTests {
    private struct Guest {
      var name: String
      var url: String
      var transport = CameraDescription.RTSPTransport.tcp
      /// Nothing goes wrong with it.
      var isGood = true
    }

    private static let login = CameraDescription.Login(username: "odd user", password: OddPassword.all[0])
    private static let evening = ProcessInfo.processInfo.environment["CAMGATE_EVENING"].flatMap { Int($0) }

    private func guests(_ responder: Server, _ others: Server) throws -> [Guest] {
      var guests = try ["steady", "login", "two-tracks", "sets-in-sdp-h265", "redirect", "jpeg", "short-session"].map {
        Guest(name: $0, url: try responder.url($0))
      }
      guests += try ["nonsense-sdp", "half-answer"].map {
        Guest(name: $0, url: try responder.url($0), isGood: false)
      }
      guests += try ["mixed", "described", "pictures"].map { Guest(name: $0, url: try others.url($0)) }
      if Self.evening != nil {
        for name in ["not-there-yet", "closes-soon", "tcp-only"] {
          let transport = name == "tcp-only" ? CameraDescription.RTSPTransport.auto : .tcp
          guests.append(Guest(name: name, url: try responder.url(name), transport: transport, isGood: false))
        }
      }
      return guests
    }

    @Test func twelveOddCamerasAtOnce() throws {
      let responder = try Testbed.responder()
      let clips = try ShownClips(responder.clips)
      let others = try Testbed.cameras(
        "mixed=h264b+aac", "described=h264+sdp", "pictures=mjpeg",
        options: ["--login", "\(Self.login.username):\(Self.login.password)"])
      var guests = try guests(responder, others)
      let vlc = Self.evening == nil ? nil : try Server("vlc", ["vlc=\(try #require(responder.clips["h264"]))"])
      if let vlc { guests.append(Guest(name: "vlc", url: try vlc.url("vlc"), transport: .udp, isGood: false)) }
      #expect(guests.count >= 12)
      let cameras = try guests.map { guest in
        var timeouts = CameraDescription.Timeouts()
        (timeouts.connect, timeouts.firstFrame) = (.seconds(4), .seconds(8))
        let source = CameraDescription.Source.rtsp(url: guest.url, login: Self.login, transport: guest.transport)
        return WatchedCamera(
          CameraDescription(name: try #require(CameraName(guest.name)), source: source, timeouts: timeouts),
          clips: clips)
      }
      print("\n| camera | tries up to the first picture | pictures | holes |\n| --- | --- | --- | --- |")
      for (guest, camera) in zip(guests, cameras) {
        // The slowest clip has fifteen pictures a second.
        let wanted = guest.isGood ? 15 * (Self.evening ?? 8) : 1
        let limit = MonotonicTime.now() + .seconds(Self.evening ?? 0) + .hangLimit
        let isThere = camera.wait(until: limit) { $0.seen.count >= wanted }
        let record = camera.record.read { $0 }
        #expect(isThere, "\(guest.name): \(record.seen.count) frames; \(record.lines.suffix(12))")
        let first = record.seen.first?.time ?? .now()
        let tries = 1 + record.waits.count { $0.time < first }
        #expect(tries <= 3, "\(guest.name): \(record.lines.suffix(12))")
        if guest.isGood { #expect(record.gaps.isEmpty, "\(guest.name): \(record.gaps); \(record.lines.suffix(12))") }
        print("| \(guest.name) | \(tries) | \(record.seen.count) | \(record.gaps.count) |")
      }
      for (guest, camera) in zip(guests, cameras) { #expect(camera.stop(), "\(guest.name) does not stop") }
      // What counts towards a lock is a login that is refused; to be asked for one is none.
      for server in [responder, others] {
        let events = server.child.output
        let refused = zip(events, events.dropFirst()).count { before, event in
          event.contains(#""event": "refuse""#) && !before.contains(#""scheme": """#)
        }
        #expect(refused == 0)
      }
      withExtendedLifetime(vlc) {}
    }
  }
}
