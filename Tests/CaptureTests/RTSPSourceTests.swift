import Frames
import Glibc
import Posix
import Synchronization
import Testing

@testable import Capture

@Suite struct RTSPSourceTests {
  @Test(arguments: [
    ("rtsp://camera/1", "admin", "secret", "rtsp://admin:secret@camera/1"),
    (
      "rtsp://10.0.0.2:554/a?b=c@d", "admin", "p@ss/w:rd?#%",
      "rtsp://admin:p%40ss%2Fw%3Ard%3F%23%25@10.0.0.2:554/a?b=c@d"
    ),
    ("rtsps://[::1]:322/", "a b", "", "rtsps://a%20b:@[::1]:322/"),
    ("rtsp://camera", "ü", "ß\n", "rtsp://%C3%BC:%C3%9F%0A@camera"),
  ])
  func theLoginIsPutIn(_ url: String, _ username: String, _ password: String, _ expected: String) {
    #expect(RTSPSource.url(url, with: .init(username: username, password: password)) == expected)
    #expect(RTSPSource.url(url, with: nil) == url)
  }

  @Test(arguments: [
    ("rtsp://camera/1", "rtsp", "camera"), ("RTSP://u:p@Camera.Example:554/1?x=@y", "rtsp", "camera.example"),
    ("rtsp://u:p@h", "rtsp", "h"), ("rtsps://u:p@[FE80::1]:322/", "rtsps", "[fe80::1]"), ("rtsp://:554/", nil, nil),
    ("/other", nil, nil), ("", nil, nil), ("rtsp:", nil, nil), ("rtsp://", nil, nil), ("a@b://c", "a@b", "c"),
  ])
  func origins(_ url: String, _ scheme: String?, _ host: String?) {
    let origin = Origin(url)
    #expect(origin?.scheme == scheme && origin?.host == host)
  }

  @Test func redirectsStayAtHomeAndEncrypted() {
    let home = Origin("rtsps://u:p@camera:322/1")
    #expect(home?.refusal(of: "rtsps://Camera:99/2", redirectCount: 1) == nil)
    for elsewhere in ["rtsps://other/1", "rtsp://camera/1", "/2", "", "rtsps://camera.evil/1", "rtsps://camera@evil/1"]
    {
      #expect(home?.refusal(of: elsewhere, redirectCount: 1)?.code == .unusable, "\(elsewhere)")
    }
    #expect(home?.refusal(of: "rtsps://camera/1", redirectCount: ConnectionGuard.redirectLimit + 1) != nil)
    #expect(Origin("rtsp://camera/1")?.refusal(of: "rtsps://camera/1", redirectCount: 1) == nil)
  }

  /// Nothing goes to a camera whose certificate would not be looked at.
  @Test func anFFmpegThatCannotVerifyIsNotConnected() throws {
    let source = RTSPSource(
      url: "rtsps://127.0.0.1:9/1", login: nil, transport: .tcp, interrupt: Interrupt(), notes: silentNotes(),
      log: Log { _ in })
    let error = captureError { _ = try source.open() }
    if Demuxer.canVerifyRTSPS {
      #expect(error?.code == .unreachable)
    } else {
      #expect(error?.code == .unusable && error?.message.contains("verify") == true)
    }
    let careless = RTSPSource(
      url: "rtsps://127.0.0.1:9/1", login: nil, transport: .tcp, tls: .init(verifies: false), interrupt: Interrupt(),
      notes: silentNotes(), log: Log { _ in })
    #expect(captureError { _ = try careless.open() }?.code == .unreachable)
  }

  /// A listening socket on 127.0.0.1 that never answers.
  private final class SilentServer {
    let descriptor: Int32
    let port: UInt16

    init() throws {
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let descriptor = descriptor
      let code = withUnsafeMutableBytes(of: &address) { bytes in
        let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
        return bind(descriptor, pointer, length) | listen(descriptor, 8) | getsockname(descriptor, pointer, &length)
      }
      port = UInt16(bigEndian: address.sin_port)
      try #require(code == 0)
    }

    deinit { close(descriptor) }
  }

  private func camera(port: UInt16, connect: Duration, log: Log) throws -> Camera {
    var timeouts = CameraDescription.Timeouts()
    timeouts.connect = connect
    let login = CameraDescription.Login(username: "viewer", password: "hunter2/@x")
    let name = try #require(CameraName("gate"))
    return Camera(
      CameraDescription(
        name: name, source: .rtsp(url: "rtsp://127.0.0.1:\(port)/1", login: login, transport: .tcp), timeouts: timeouts),
      log: log, deliver: { _ in })
  }

  /// Runs a camera until it waits for its second attempt; gives why, and all that was logged.
  private func failure(port: UInt16, connect: Duration) throws -> (CaptureError?, String) {
    let lines = Monitor<[String]>([])
    let log = Log(level: .debug) { line in lines.withLock { $0.append(line) } }
    let camera = try camera(port: port, connect: connect, log: log)
    camera.start()
    let error = lines.wait(until: .now() + .seconds(60)) { _ -> CaptureError? in
      if case .waiting(let error, _) = camera.state { error } else { nil }
    }
    camera.stop()
    #expect(camera.join(until: .now() + .seconds(60)))
    #expect(camera.state == .finished(CaptureError(.stopped, "stopped")))
    return (error, lines.read { $0.joined(separator: "\n") })
  }

  @Test func nobodyListens() throws {
    let port: UInt16
    do { port = try SilentServer().port }
    let (error, log) = try failure(port: port, connect: .seconds(10))
    #expect(error?.code == .unreachable)
    #expect(log.contains("retry in"))
    for secret in ["hunter2", "%40x"] { #expect(!log.contains(secret) && !(error?.message.contains(secret) ?? false)) }
  }

  @Test func aServerThatNeverAnswersIsGivenUp() throws {
    let server = try SilentServer()
    let (error, log) = try failure(port: server.port, connect: .milliseconds(200))
    #expect(error?.code == .silent)
    #expect(!log.contains("hunter2"))
  }

  @Test func stoppingEndsABlockedConnect() throws {
    let server = try SilentServer()
    let connecting = Monitor(false)
    let camera = try camera(
      port: server.port, connect: .seconds(3_600), log: Log(level: .debug) { _ in connecting.withLock { $0 = true } })
    camera.start()
    _ = connecting.wait { $0 ? true : nil }
    camera.stop()
    #expect(camera.join(until: .now() + .seconds(60)))
    guard case .finished(let error) = camera.state else {
      Issue.record("\(camera.state)")
      return
    }
    #expect(error.code == .stopped)
  }
}
