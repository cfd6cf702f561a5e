import Frames
import Posix

// When a camera is opened, given up and tried again. A pure state machine: it is told what happened and when, and says
// what to do; it neither sleeps nor reads a clock, so that years of a bad camera pass in a test in no time. How long is
// waited is `Patience`'s, `Backoff`'s and `LoginTries`' to say.

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

  private(set) var state = State.connecting
  private let timeouts: CameraDescription.Timeouts
  private var patience: Patience
  private var backoff = Backoff()
  private var login: LoginTries
  private var firstFrame: MonotonicTime?
  /// When the connection was opened or the last frame accepted, and the deadline given then or since.
  private var lastSuccess = MonotonicTime(nanoseconds: 0)
  private var deadline = MonotonicTime(nanoseconds: 0)
  /// Failed attempts since frames last flowed.
  private(set) var failureCount = 0

  /// `hasLogin`: refusals are refusals of a login that was told. `learnt` is what an earlier run has found out.
  init(timeouts: CameraDescription.Timeouts, hasLogin: Bool = false, learnt: Learnt = Learnt()) {
    self.timeouts = timeouts
    patience = Patience(timeouts, remembered: learnt.patience)
    login = LoginTries(hasLogin: hasLogin, hasWorked: learnt.hasLoginWorked)
  }

  /// What is worth keeping for the next run.
  var learnt: Learnt {
    var learnt = Learnt()
    (learnt.patience, learnt.hasLoginWorked) = (patience.remembered, login.hasWorked)
    return learnt
  }

  /// How long after the connection was opened, or after the last frame, the deadline is.
  var allowed: Duration { deadline - lastSuccess }

  /// The deadline for `open` begun now.
  func connectDeadline(now: MonotonicTime) -> MonotonicTime { now + timeouts.connect }

  /// `jitter` in 0...1 says which part of the pause is taken (`Backoff`).
  mutating func step(_ event: Event, now: MonotonicTime, jitter: Double) -> Action {
    switch event {
    case .opened:
      (state, firstFrame) = (.connecting, nil)
      patience.opened()
      login.accepted()
      (lastSuccess, deadline) = (now, now + patience.forFirstFrame)
      return .read(by: deadline)
    case .frame(let interval):
      let start = firstFrame ?? now
      (state, firstFrame, failureCount) = (.streaming, start, 0)
      backoff.streamed(now - start)
      patience.took(interval: interval, now: now)
      (lastSuccess, deadline) = (now, now + patience.forNextFrame)
      return .read(by: deadline)
    case .unusable:
      let wait = patience.forNextFrame
      deadline = max(deadline, min(now + wait, lastSuccess + max(wait, Patience.forKeyframes)))
      patience.tookUnusable()
      return .read(by: deadline)
    case .failed(let error): return fail(error, now: now, jitter: jitter)
    }
  }

  private mutating func fail(_ error: CaptureError, now: MonotonicTime, jitter: Double) -> Action {
    if let firstFrame { backoff.ended(after: now - firstFrame) }
    patience.closed(isSilent: error.code == .silent, now: now)
    firstFrame = nil
    failureCount += 1
    if error.disposition == .finish {
      state = .finished(error)
      return .finish
    }
    let pause =
      error.code == .unauthorized
      ? login.refused(&backoff, jitter: jitter) : backoff.next(error.disposition, jitter: jitter)
    state = .waiting(until: now + pause, error: error)
    return .reopen(at: now + pause)
  }

  /// The wait is over.
  mutating func beginConnecting() { state = .connecting }
}
