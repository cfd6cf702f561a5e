import Frames
import Posix
import Testing

@testable import Capture

@Suite struct SupervisorTests {
  private static let refused = CaptureError(.unreachable, "connection refused")
  private static let login = CaptureError(.unauthorized, "wrong password")
  private static let stopped = CaptureError(.stopped, "stopped")

  private func time(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

  /// Every state meets every event. Waiting lasts 0.5 s at first: full jitter is 1 here.
  @Test func table() {
    typealias Row = (event: Supervisor.Event, action: Supervisor.Action, state: String)
    let rows: [Row] = [
      (.opened, .read(by: time(130)), "connecting"),
      (.frame(interval: nil), .read(by: time(105)), "streaming"),
      (.failed(Self.refused), .reopen(at: time(100.5)), "waiting"),
      (.failed(Self.login), .reopen(at: time(130)), "waiting"),
      (.failed(Self.stopped), .finish, "finished"),
    ]
    let preparations: [(String, [Supervisor.Event])] = [
      ("connecting", []), ("connecting", [.opened]), ("streaming", [.opened, .frame(interval: nil)]),
    ]
    for (name, preparation) in preparations {
      for row in rows {
        var supervisor = Supervisor(timeouts: .init())
        for event in preparation { _ = supervisor.step(event, now: time(99), jitter: 1) }
        #expect(describe(supervisor.state) == name)
        #expect(supervisor.step(row.event, now: time(100), jitter: 1) == row.action, "\(name) and \(row.event)")
        #expect(describe(supervisor.state) == row.state, "\(name) and \(row.event)")
      }
    }
  }

  private func describe(_ state: Supervisor.State) -> String {
    switch state {
    case .connecting: "connecting"
    case .streaming: "streaming"
    case .waiting: "waiting"
    case .finished: "finished"
    }
  }

  private func pauses(_ supervisor: inout Supervisor, _ error: CaptureError, _ count: Int, jitter: Double = 1)
    -> [Double]
  {
    (0..<count).map { _ in
      guard case .reopen(let at) = supervisor.step(.failed(error), now: time(1_000), jitter: jitter) else { return -1 }
      supervisor.beginConnecting()
      return (at - time(1_000)).inSeconds
    }
  }

  @Test func pausesDoubleUpToHalfAMinute() {
    var supervisor = Supervisor(timeouts: .init())
    #expect(pauses(&supervisor, Self.refused, 9) == [0.5, 1, 2, 4, 8, 16, 30, 30, 30])
    #expect(supervisor.failureCount == 9)
  }

  @Test func whatSomebodyMustMendIsTriedAtTheSlowEnd() {
    var supervisor = Supervisor(timeouts: .init())
    #expect(pauses(&supervisor, Self.login, 3) == [30, 30, 30])
  }

  /// Common cameras lock a login for half an hour after five refusals, and again with each one in that time.
  @Test func aLoginThatNeverWorkedIsTriedMoreAndMoreRarely() {
    let minutes = [0.5, 0.5, 1, 2, 5, 15, 35, 35, 35]
    for jitter in [0.0, 1] {
      var supervisor = Supervisor(timeouts: .init(), hasLogin: true)
      let pauses = pauses(&supervisor, Self.login, minutes.count, jitter: jitter)
      for (pause, minutes) in zip(pauses.dropFirst(2), minutes.dropFirst(2)) {
        // Never less, or it would still be locked.
        #expect((minutes * 60...minutes * 66).contains(pause))
      }
    }
  }

  /// Other failures in between are no refusals, and do not make one forget those.
  @Test func refusalsAreCountedOverOtherFailures() {
    var supervisor = Supervisor(timeouts: .init(), hasLogin: true)
    _ = pauses(&supervisor, Self.login, 3, jitter: 0)
    _ = pauses(&supervisor, Self.refused, 5, jitter: 0)
    #expect(pauses(&supervisor, Self.login, 2, jitter: 0) == [121.2, 303])
  }

  /// The camera boots, or has too many connections.
  @Test func aLoginThatWorkedIsTriedAsUsual() {
    var supervisor = Supervisor(timeouts: .init(), hasLogin: true)
    _ = pauses(&supervisor, Self.login, 5, jitter: 0)
    _ = supervisor.step(.opened, now: time(10), jitter: 1)
    _ = supervisor.step(.frame(interval: nil), now: time(10), jitter: 1)
    _ = supervisor.step(.failed(Self.refused), now: time(100), jitter: 1)
    #expect(pauses(&supervisor, Self.login, 9) == [1, 2, 4, 8, 16, 32, 64, 120, 120])
    #expect(pauses(&supervisor, Self.refused, 1) == [30])
  }

  @Test(arguments: [(0.0, 0.05), (0.05, 0.05), (0.5, 0.25), (1, 0.5), (7, 0.5), (-1, 0.05), (.nan, 0.05)])
  func jitterTakesAPartButAtLeastATenth(_ jitter: Double, _ pause: Double) {
    var supervisor = Supervisor(timeouts: .init())
    #expect(pauses(&supervisor, Self.refused, 1, jitter: jitter) == [pause])
  }

  /// A camera that delivers for a moment and breaks again must not be hammered.
  @Test(arguments: [(29.9, 4.0), (30, 0.5)])
  func onlyHealthShortensThePause(_ seconds: Double, _ pause: Double) {
    var supervisor = Supervisor(timeouts: .init())
    _ = pauses(&supervisor, Self.refused, 3)
    _ = supervisor.step(.opened, now: time(2_000), jitter: 1)
    _ = supervisor.step(.frame(interval: nil), now: time(2_000), jitter: 1)
    #expect(supervisor.failureCount == 0)
    let now = time(2_000 + seconds)
    #expect(supervisor.step(.failed(Self.refused), now: now, jitter: 1) == .reopen(at: now + .seconds(pause)))
  }

  @Test func waitingIsNotHealth() {
    var supervisor = Supervisor(timeouts: .init())
    _ = pauses(&supervisor, Self.refused, 3)
    _ = supervisor.step(.opened, now: time(2_000), jitter: 1)
    #expect(supervisor.step(.failed(Self.refused), now: time(2_100), jitter: 1) == .reopen(at: time(2_104)))
  }

  @Test(arguments: [
    (nil, 5.0), (Duration.zero, 5), (.milliseconds(40), 5), (.seconds(2), 10), (.seconds(60), 300),
    (.seconds(3_600), 300), (.nanoseconds(Int64.max), 300), (.seconds(-5), 5),
  ])
  func patienceIsFiveIntervals(_ interval: Duration?, _ seconds: Double) {
    var supervisor = Supervisor(timeouts: .init())
    #expect(supervisor.step(.frame(interval: interval), now: time(50), jitter: 0) == .read(by: time(50 + seconds)))
  }

  /// A camera that sends is alive: while frames are dropped up to the next keyframe it is not cut off, but not for ever.
  @Test func packetsThatCannotBeUsedAreSignsOfLife() {
    var supervisor = Supervisor(timeouts: .init())
    _ = supervisor.step(.opened, now: time(0), jitter: 0)
    #expect(supervisor.step(.unusable, now: time(1), jitter: 0) == .read(by: time(30)), "never less than before")
    #expect(supervisor.step(.unusable, now: time(28), jitter: 0) == .read(by: time(33)))
    #expect(supervisor.step(.unusable, now: time(50), jitter: 0) == .read(by: time(55)))
    #expect(supervisor.step(.unusable, now: time(58), jitter: 0) == .read(by: time(60)))
    #expect(supervisor.step(.unusable, now: time(59.9), jitter: 0) == .read(by: time(60)))
    #expect(supervisor.step(.frame(interval: nil), now: time(60), jitter: 0) == .read(by: time(65)))
    #expect(supervisor.step(.unusable, now: time(100), jitter: 0) == .read(by: time(105)))
    #expect(supervisor.step(.frame(interval: .seconds(30)), now: time(110), jitter: 0) == .read(by: time(260)))
    #expect(supervisor.step(.unusable, now: time(111), jitter: 0) == .read(by: time(260)))
  }

  /// A camera that sends a frame each `interval` seconds, the first `offset` seconds after it is asked. With H.264 and
  /// H.265 a frame is known to be whole when the next one comes.
  private struct SlowCamera {
    var interval: Double
    var offset = 0.0
    var isParsed = false

    /// How many connections it took to the one that lasts an hour, at most `limit`.
    func connections(_ supervisor: inout Supervisor, limit: Int = 40) -> Int {
      var now = MonotonicTime(nanoseconds: 1_000_000_000)
      for connection in 1..<limit {
        let opened = now
        var action = supervisor.step(.opened, now: now, jitter: 1)
        var count = 0
        while case .read(let deadline) = action {
          if now - opened > .seconds(3_600) { return connection }
          now = opened + .seconds(offset + interval * Double(count + (isParsed ? 1 : 0)))
          if now > deadline {
            now = deadline
            action = supervisor.step(.failed(CaptureError(.silent, "no frame in time")), now: now, jitter: 1)
            continue
          }
          action = supervisor.step(.frame(interval: count > 0 ? .seconds(interval) : nil), now: now, jitter: 1)
          count += 1
        }
        if case .reopen(let time) = action { now = time }
      }
      return limit
    }
  }

  @Test(arguments: [0.008, 0.04, 1, 4, 10, 30, 60], [0, 20.0])
  func slowCamerasAreLearnt(_ interval: Double, _ offset: Double) {
    for isParsed in [false, true] {
      let camera = SlowCamera(interval: interval, offset: offset, isParsed: isParsed)
      var supervisor = Supervisor(timeouts: .init())
      // Five seconds doubled five times are more than two minutes.
      #expect(camera.connections(&supervisor) <= 6, "parsed: \(isParsed)")
      #expect(camera.connections(&supervisor) == 1, "it is known now; parsed: \(isParsed)")
    }
  }

  /// A restart costs none of it: the next run waits as long from its first connection on.
  @Test(arguments: [0.04, 4, 10, 60], [0, 20.0])
  func whatIsLearntOutlivesARun(_ interval: Double, _ offset: Double) {
    for isParsed in [false, true] {
      let camera = SlowCamera(interval: interval, offset: offset, isParsed: isParsed)
      var first = Supervisor(timeouts: .init())
      _ = camera.connections(&first)
      var second = Supervisor(timeouts: .init(), learnt: first.learnt)
      #expect(camera.connections(&second) == 1, "parsed: \(isParsed)")
      #expect(second.learnt == first.learnt)
    }
  }

  /// What is kept on a card changes a few times, not with every frame; and is forgotten once the camera is quick again.
  @Test func whatIsRememberedChangesRarely() {
    var supervisor = Supervisor(timeouts: .init())
    var now = time(1_000)
    var values: [Duration?] = []
    _ = supervisor.step(.opened, now: now, jitter: 1)
    for frame in 0..<20_000 {
      let interval = frame < 10_000 ? 8 + Double(frame * 7 % 50) / 10 : 0.5
      now = now + .seconds(interval)
      _ = supervisor.step(.frame(interval: .seconds(interval)), now: now, jitter: 1)
      if supervisor.learnt.patience != values.last ?? nil { values.append(supervisor.learnt.patience) }
    }
    #expect(values.count <= 4, "\(values)")
    #expect(values.last == .some(nil), "\(values)")
  }

  @Test func aLoginThatWorkedInAnEarlierRunIsTriedAsUsual() {
    var learnt = Learnt()
    learnt.hasLoginWorked = true
    var supervisor = Supervisor(timeouts: .init(), hasLogin: true, learnt: learnt)
    #expect(pauses(&supervisor, Self.login, 9) == [0.5, 1, 2, 4, 8, 16, 32, 64, 120])
    #expect(supervisor.learnt.hasLoginWorked)
    var without = Supervisor(timeouts: .init(), learnt: learnt)
    #expect(pauses(&without, Self.login, 3) == [30, 30, 30], "no login, nothing that could have worked")
  }

  /// What is learnt of a camera that hangs does not keep it away when it is back.
  @Test func aCameraThatHungIsNotTakenForASlowOne() {
    var supervisor = Supervisor(timeouts: .init())
    _ = SlowCamera(interval: 0.04).connections(&supervisor)
    let start = MonotonicTime(nanoseconds: 10_000_000_000_000)
    var now = start
    while now - start < .seconds(3_600) {
      guard case .read(let deadline) = supervisor.step(.opened, now: now, jitter: 1) else { break }
      #expect(deadline - now <= .seconds(30) || now - start > .seconds(300))
      let action = supervisor.step(.failed(CaptureError(.silent, "no frame in time")), now: deadline, jitter: 1)
      guard case .reopen(let time) = action else { break }
      now = time
    }
    _ = supervisor.step(.opened, now: now, jitter: 1)
    for frame in 0..<100_000 {
      now = now + .milliseconds(40)
      _ = supervisor.step(.frame(interval: frame > 0 ? .milliseconds(40) : nil), now: now, jitter: 1)
    }
    #expect(supervisor.step(.frame(interval: .milliseconds(40)), now: now, jitter: 1) == .read(by: now + .seconds(5)))
  }

  /// A pair of pictures each minute: the long interval counts.
  @Test func burstsDoNotMakeAnImpatientSupervisor() {
    var supervisor = Supervisor(timeouts: .init())
    _ = supervisor.step(.opened, now: time(0), jitter: 1)
    _ = supervisor.step(.frame(interval: .seconds(60)), now: time(60), jitter: 1)
    #expect(
      supervisor.step(.frame(interval: .milliseconds(40)), now: time(60.04), jitter: 1) == .read(by: time(360.04)))
  }

  /// A camera that ends each connection after some seconds is never left alone for longer than it was there.
  @Test(arguments: [0.1, 4, 20, 29.9])
  func noPauseIsLongerThanTheStreamBefore(_ seconds: Double) {
    var supervisor = Supervisor(timeouts: .init())
    var now = time(1_000)
    for _ in 0..<20 {
      _ = supervisor.step(.opened, now: now, jitter: 1)
      _ = supervisor.step(.frame(interval: nil), now: now, jitter: 1)
      now = now + .seconds(seconds)
      guard case .reopen(let until) = supervisor.step(.failed(CaptureError(.ended, "")), now: now, jitter: 1) else {
        break
      }
      #expect(until - now <= max(.seconds(seconds), Backoff.shortest))
      now = until
    }
    #expect(now > time(1_010), "nor is it hammered")
  }

  @Test func timeoutsAreThoseOfTheSettings() {
    var timeouts = CameraDescription.Timeouts()
    timeouts.connect = .seconds(1)
    timeouts.firstFrame = .seconds(2)
    timeouts.nextFrame = .seconds(3)
    var supervisor = Supervisor(timeouts: timeouts)
    #expect(supervisor.connectDeadline(now: time(10)) == time(11))
    #expect(supervisor.step(.opened, now: time(10), jitter: 0) == .read(by: time(12)))
    #expect(supervisor.step(.frame(interval: nil), now: time(10), jitter: 0) == .read(by: time(13)))
    timeouts.connect = .seconds(Int64.max)
    #expect(Supervisor(timeouts: timeouts).connectDeadline(now: time(10)).nanoseconds == .max)
  }

  @Test func whoIsToBlameForAHole() {
    for code in [CaptureError.Code.disconnected, .unreachable] {
      #expect(CaptureError(code, "").gapReason == .network, "the route is gone")
    }
    for code in [CaptureError.Code.silent, .ended, .unauthorized, .notFound, .unusable] {
      #expect(CaptureError(code, "").gapReason == .camera)
    }
  }

  @Test func everyErrorHasItsDisposition() {
    let soon: [CaptureError.Code] = [.unreachable, .disconnected, .silent, .ended, .unusable]
    for code in soon { #expect(CaptureError(code, "").disposition == .retry) }
    let slowly: [CaptureError.Code] = [.unauthorized, .notFound]
    for code in slowly { #expect(CaptureError(code, "").disposition == .retrySlowly) }
    #expect(Self.stopped.disposition == .finish)
  }
}
