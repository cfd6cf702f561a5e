import Frames
import Posix

// When a camera is opened, given up and tried again. A pure state machine: it is told what happened and when, and says
// what to do; it neither sleeps nor reads a clock, so that years of a bad camera pass in a test in no time.

/// The life of one camera's connection. Never gives up.
struct Supervisor {
  /// Where the connection stands, for tests of every transition; what people are told is `Camera.State`.
  enum State: Sendable, Equatable {
    case connecting
    case streaming
    case waiting(until: MonotonicTime, error: CaptureError)
    case finished(CaptureError)
  }

  /// What happened.
  enum Event {
    /// The connection stands (no frame yet).
    case opened
    /// A frame was accepted; `interval` is the media time since the one before.
    case frame(interval: Duration?)
    /// A packet came, but none that can be passed on: it is damaged, or frames are dropped until the next keyframe.
    case unusable
    case failed(CaptureError)
  }

  /// What to do next.
  enum Action: Equatable {
    /// Read on; the next frame must be there by this time.
    case read(by: MonotonicTime)
    /// Close, wait until then, open again with this deadline.
    case reopen(at: MonotonicTime)
    /// Close for good.
    case finish
  }

  /// The first pause after a failure; it doubles up to `longestPause`.
  static let shortestPause = Duration.milliseconds(500)
  static let longestPause = Duration.seconds(30)
  /// The longest pause of a camera that took the login before: it boots, or has too many connections.
  static let longestPauseForLogin = Duration.seconds(120)
  /// The pauses from the third refusal on of a login that never worked. Cameras lock one for half an hour after a handful
  /// of refusals, and again with each one in that time, so the last is longer than the lock.
  static let pausesOfRefusedLogin: [Duration] = [60, 120, 300, 900, 2_100].map { .seconds($0) }
  /// How long frames must flow before the next failure starts with the shortest pause again.
  static let healthyAfter = Duration.seconds(30)

  /// How long frames are waited for at most. A camera that sends one a minute is streaming.
  static let longestPatience = Duration.seconds(300)

  /// How long a camera that sends may go without a keyframe; then a new connection, which most cameras begin with one,
  /// is the quicker way.
  static let keyframePatience = Duration.seconds(60)

  private let timeouts: CameraDescription.Timeouts
  private let hasLogin: Bool
  /// Whether the camera took the login at least once.
  private var hasLoginWorked = false
  /// Refusals of a login that never worked.
  private var refusalCount = 0
  private(set) var state = State.connecting
  private var pause = Supervisor.shortestPause
  private var firstFrame: MonotonicTime?
  /// How long the next frame is waited for: five times as long as the longest wait that was worth it.
  private var patience: Duration
  /// When that much of it was last needed.
  private var patienceNeeded = MonotonicTime(nanoseconds: 0)
  /// Whether the camera's rate was ever seen.
  private var isRateKnown = false
  /// What came since the connection was opened; nil while there is none.
  private var received: Received?
  /// Connections in a row on which nothing came until the deadline.
  private var emptyCount = 0
  /// When the connection was opened or the last frame accepted, and the deadline given then or since.
  private var lastSuccess = MonotonicTime(nanoseconds: 0)
  private var deadline = MonotonicTime(nanoseconds: 0)
  /// Failed attempts since frames last flowed.
  private(set) var failureCount = 0

  private enum Received { case nothing, unusable, oneFrame, frames }

  /// `hasLogin`: refusals are refusals of a login that was told.
  init(timeouts: CameraDescription.Timeouts, hasLogin: Bool = false) {
    (self.timeouts, self.hasLogin, patience) = (timeouts, hasLogin, timeouts.nextFrame)
  }

  /// How long after the connection was opened, or after the last frame, the deadline is.
  var allowed: Duration { deadline - lastSuccess }

  /// The deadline for `open` begun now.
  func connectDeadline(now: MonotonicTime) -> MonotonicTime { now + timeouts.connect }

  /// `jitter` in 0...1 says which part of the pause is taken (full jitter: a site's cameras must not come back in step).
  mutating func step(_ event: Event, now: MonotonicTime, jitter: Double) -> Action {
    switch event {
    case .opened:
      (state, firstFrame, received) = (.connecting, nil, .nothing)
      hasLoginWorked = hasLogin
      let isSlow = patience > timeouts.nextFrame
      (lastSuccess, deadline) = (now, now + (isSlow ? max(timeouts.firstFrame, patience) : timeouts.firstFrame))
      return .read(by: deadline)
    case .frame(let interval):
      let start = firstFrame ?? now
      (state, firstFrame, failureCount) = (.streaming, start, 0)
      if now - start >= Supervisor.healthyAfter { pause = Supervisor.shortestPause }
      received = received == .oneFrame || received == .frames ? .frames : .oneFrame
      if let interval { learn(interval, now) }
      (lastSuccess, deadline) = (now, now + patience)
      return .read(by: deadline)
    case .unusable:
      deadline = max(deadline, min(now + patience, lastSuccess + max(patience, Supervisor.keyframePatience)))
      if received == .nothing { received = .unusable }
      return .read(by: deadline)
    case .failed(let error):
      if let firstFrame {
        // Never away for longer than it was there.
        let streamed = now - firstFrame
        pause =
          streamed >= Supervisor.healthyAfter
          ? Supervisor.shortestPause : min(pause, max(streamed, Supervisor.shortestPause))
      }
      if error.code == .silent { learnFromSilence(now) }
      (firstFrame, received) = (nil, nil)
      failureCount += 1
      if error.disposition == .finish {
        state = .finished(error)
        return .finish
      }
      let time = now + pauseBehind(error, jitter: max(0.1, min(jitter, 1)))
      state = .waiting(until: time, error: error)
      return .reopen(at: time)
    }
  }

  /// `jitter` is at least a tenth, so that a camera that refuses at once is never hammered.
  private mutating func pauseBehind(_ error: CaptureError, jitter: Double) -> Duration {
    if error.code == .unauthorized, hasLogin {
      if hasLoginWorked { return doubled(upTo: Supervisor.longestPauseForLogin) * jitter }
      refusalCount += 1
      if refusalCount >= 3 {
        let pauses = Supervisor.pausesOfRefusedLogin
        return pauses[min(refusalCount - 3, pauses.count - 1)] * (1 + jitter / 10)
      }
    }
    let usual = doubled(upTo: Supervisor.longestPause)
    return (error.disposition == .retrySlowly ? Supervisor.longestPause : usual) * jitter
  }

  private mutating func doubled(upTo longest: Duration) -> Duration {
    defer { pause = min(pause * 2, longest) }
    return min(pause, longest)
  }

  /// Five intervals are waited for. After less was enough for ten times as long as is waited, less is waited again, so
  /// that pictures in bursts do not hide the pauses between these.
  private mutating func learn(_ interval: Duration, _ now: MonotonicTime) {
    let needed = max(timeouts.nextFrame, min(interval * 5, Supervisor.longestPatience))
    (isRateKnown, emptyCount) = (true, 0)
    if needed >= patience || now - patienceNeeded > patience * 10 { (patience, patienceNeeded) = (needed, now) }
  }

  /// A connection that ended without a second frame may be one to a slow camera: the next one has twice as long. Without
  /// any frame it may as well be a camera that hangs, which is waited for as before when its rate is known, or else its
  /// return would be noticed late; but not forever: a rate can be changed.
  private mutating func learnFromSilence(_ now: MonotonicTime) {
    if received == .nothing { emptyCount += 1 }
    guard received == .oneFrame || (received == .nothing && (!isRateKnown || emptyCount % 4 == 0)) else { return }
    (patience, patienceNeeded) = (min(patience * 2, max(Supervisor.longestPatience, patience)), now)
  }

  /// The wait is over.
  mutating func beginConnecting() { state = .connecting }
}
