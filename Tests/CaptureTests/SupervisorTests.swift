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
      (.opened, .read(by: time(110)), "connecting"),
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
    #expect(supervisor.step(.unusable, now: time(1), jitter: 0) == .read(by: time(10)), "never less than before")
    #expect(supervisor.step(.unusable, now: time(8), jitter: 0) == .read(by: time(13)))
    #expect(supervisor.step(.unusable, now: time(50), jitter: 0) == .read(by: time(55)))
    #expect(supervisor.step(.unusable, now: time(58), jitter: 0) == .read(by: time(60)))
    #expect(supervisor.step(.unusable, now: time(59.9), jitter: 0) == .read(by: time(60)))
    #expect(supervisor.step(.frame(interval: nil), now: time(60), jitter: 0) == .read(by: time(65)))
    #expect(supervisor.step(.unusable, now: time(100), jitter: 0) == .read(by: time(105)))
    #expect(supervisor.step(.frame(interval: .seconds(30)), now: time(110), jitter: 0) == .read(by: time(260)))
    #expect(supervisor.step(.unusable, now: time(111), jitter: 0) == .read(by: time(260)))
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
