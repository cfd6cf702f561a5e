import Frames
import Posix
import Testing

@testable import Capture

extension IntegrationTests.KafkaSide {
  /// Cameras behind TLS. The distribution's FFmpeg cannot verify them, the pinned one can; each must do what it can, and
  /// neither may hand a login to somebody else.
  @Suite struct EncryptionTests {
    /// Runs a camera until it has frames or waits; gives the frames' count and what it waits for.
    private func run(_ url: String, _ tls: CameraDescription.TLS, clips: ShownClips) throws -> (Int, String) {
      let name = try #require(CameraName("gate"))
      let login = CameraDescription.Login(username: "viewer", password: "hunter2")
      let camera = WatchedCamera(
        CameraDescription(name: name, source: .rtsp(url: url, login: login, transport: .tcp, tls: tls)), clips: clips)
      #expect(camera.wait { $0.seen.count >= 30 || !$0.waits.isEmpty })
      #expect(camera.stop())
      let record = camera.record.read { $0 }
      #expect(record.seen.allSatisfy { $0.shown != nil })
      return (record.seen.count, record.lines.joined(separator: "\n"))
    }

    @Test func onlyWhoIsKnownIsTrusted() throws {
      let responder = try Testbed.responder(options: ["--tls"])
      let clips = try ShownClips(responder.clips)
      let (url, authority) = (try responder.url("steady"), try #require(responder.authority))

      let known = try run(url, .init(authorityFile: authority), clips: clips)
      let unknown = try run(url, .init(), clips: clips)
      let otherName = try run(
        url.replacing("127.0.0.1", with: "localhost"), .init(authorityFile: authority), clips: clips)
      #expect(unknown.0 == 0 && otherName.0 == 0)
      if Demuxer.canVerifyRTSPS {
        #expect(known.0 >= 30, "\(known.1)")
      } else {
        #expect(known.0 == 0 && known.1.contains("cannot verify"), "\(known.1)")
        #expect(!responder.child.output.contains { $0.contains("EVENT") }, "somebody connected")
      }
      #expect(responder.child.output.count { $0.contains("DESCRIBE") } == (Demuxer.canVerifyRTSPS ? 1 : 0))
      let careless = try run(url, .init(verifies: false), clips: clips)
      #expect(careless.0 >= 30, "\(careless.1)")
    }

    /// Without `tls.ca` those count whom the system trusts, here the ones that SSL_CERT_FILE names: they alone.
    @Test func whomTheSystemTrustsIsTrusted() throws {
      let responder = try Testbed.responder(options: ["--tls"])
      let url = try responder.url("steady")
      let trusting = try Child(
        Testbed.camgate, ["probe", url, "--seconds", "1"],
        environment: ["SSL_CERT_FILE": try #require(responder.authority)])
      let others = try Child(
        Testbed.camgate, ["probe", url, "--seconds", "1"], environment: ["SSL_CERT_FILE": "/dev/null"])
      #expect(try trusting.waitForExit() == .code(Demuxer.canVerifyRTSPS ? 0 : 1), "\(trusting.transcript)")
      #expect(try others.waitForExit() == .code(1), "\(others.transcript)")
      #expect(responder.child.output.count { $0.contains("DESCRIBE") } == (Demuxer.canVerifyRTSPS ? 1 : 0))
    }
  }
}
