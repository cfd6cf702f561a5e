import Posix
import Testing

@testable import Capture

/// What keeps a camera's sessions is found by how its connections end.
@Suite struct KeepAliveTests {
  private static let ended = CaptureError(.ended, "the stream ended")
  private static let silent = CaptureError(.silent, "no frame for 5 s")

  private func time(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

  /// A connection that streams from `start` on for so many seconds; what the log says of its end.
  private func connect(
    _ keepAlive: inout KeepAlive, _ session: KeepAlive.Session?, at start: Double = 0, for lifetime: Double,
    _ error: CaptureError = KeepAliveTests.ended
  ) -> String? {
    keepAlive.opened(session, now: time(start))
    _ = keepAlive.received(now: time(start + 0.1))
    _ = keepAlive.received(now: time(start + lifetime))
    let isSilent = error.code == .silent
    return keepAlive.failed(error, now: time(start + lifetime + (isSilent ? 5 : 0)))
  }

  private func session(_ timeout: Int, lists: Bool) -> KeepAlive.Session {
    KeepAlive.Session(timeout: .seconds(timeout), listsGetParameter: lists)
  }

  /// Dropped at the timeout: OPTIONS did not count. Dropped at half of it: GET_PARAMETER was the end.
  @Test(arguments: [(false, 60.0), (false, 58), (false, 66), (true, 30), (true, 32)])
  func twoDropsChangeTheRequest(_ lists: Bool, _ lifetime: Double) {
    for error in [Self.ended, Self.silent] {
      var keepAlive = KeepAlive(proven: .listed)
      #expect(connect(&keepAlive, session(60, lists: lists), for: lifetime, error) == nil)
      #expect(keepAlive.request == .listed)
      let line = connect(&keepAlive, session(60, lists: lists), for: lifetime, error)
      #expect(line?.contains("as its sessions do (60 s)") == true)
      #expect(keepAlive.request == (lists ? .options : .getParameter))
      #expect(keepAlive.proven == .listed, "nothing is proven yet")
      keepAlive.opened(session(60, lists: lists), now: time(1_000))
      #expect(keepAlive.received(now: time(1_119)) == false)
      #expect(keepAlive.received(now: time(1_121)) == true, "longer than two timeouts")
      #expect(keepAlive.received(now: time(1_122)) == false, "once")
      #expect(keepAlive.proven == keepAlive.request)
    }
  }

  @Test(arguments: [1.0, 20, 45, 80, 120, 4_000])
  func otherDropsSayNothing(_ lifetime: Double) {
    var keepAlive = KeepAlive(proven: .listed)
    for _ in 0..<10 { #expect(connect(&keepAlive, session(60, lists: true), for: lifetime) == nil) }
    #expect(keepAlive.request == .listed)
  }

  /// One in between that is none of them begins the count again.
  @Test func onlyDropsInARowCount() {
    var keepAlive = KeepAlive(proven: .listed)
    for lifetime in [60.0, 17, 60, 300, 60] {
      #expect(connect(&keepAlive, session(60, lists: false), for: lifetime) == nil)
    }
    #expect(keepAlive.request == .listed)
  }

  /// A camera that was never reached, or refuses, has not ended a session.
  @Test func failuresWithoutAPacketSayNothing() {
    var keepAlive = KeepAlive(proven: .listed)
    for _ in 0..<5 {
      keepAlive.opened(session(60, lists: false), now: time(0))
      #expect(keepAlive.failed(Self.silent, now: time(60)) == nil)
    }
    #expect(keepAlive.request == .listed)
  }

  /// A camera that ends all sessions alike, whatever is asked: each request gets its chance once, and then it is left.
  @Test func noRequestHelps() {
    var keepAlive = KeepAlive(proven: .listed)
    var requests: [KeepAliveRequest] = []
    var lines = 0
    for connection in 0..<40 {
      if requests.last != keepAlive.request { requests.append(keepAlive.request) }
      if connect(&keepAlive, session(60, lists: false), at: Double(connection) * 100, for: 60) != nil { lines += 1 }
    }
    #expect(requests == [.listed, .getParameter, .listed])
    #expect(lines == 1)
  }

  /// What an earlier run has found is used at once, and given up like another when it no longer helps.
  @Test func whatWasProvenIsTakenFirst() {
    var keepAlive = KeepAlive(proven: .getParameter)
    #expect(keepAlive.request == .getParameter)
    for _ in 0..<2 { _ = connect(&keepAlive, session(60, lists: true), for: 30) }
    #expect(keepAlive.request == .options)
  }

  /// An FFmpeg that does not tell of sessions takes no order either: it is said once that another one would.
  @Test func withoutSessionsItIsSaidOnce() {
    var keepAlive = KeepAlive(proven: .listed)
    let lines = [30.0, 30.5, 30, 30].map { connect(&keepAlive, nil, for: $0) }
    #expect(lines.map { $0 != nil } == [false, true, false, false])
    #expect(lines[1]?.hasPrefix("connections end every 31 s: the camera may want another request") == true)
    #expect(keepAlive.request == .listed)
  }
}
