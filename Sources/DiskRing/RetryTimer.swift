import Posix

// When something that failed is tried again. A value without a clock, so that every order of events can be tested.

/// Growing intervals: 1 s after the first failure, then twice as long every time, at most a minute.
struct RetryTimer: Equatable {
  static let shortest = Duration.seconds(1)
  static let longest = Duration.seconds(60)

  /// Failures in a row.
  private(set) var failureCount = 0
  /// When the next attempt is due; nil while nothing has failed.
  private(set) var time: MonotonicTime?
  /// When the first of these failures was.
  private(set) var since: MonotonicTime?

  var hasFailed: Bool { failureCount > 0 }

  mutating func fail(now: MonotonicTime) {
    if since == nil { since = now }
    let interval = RetryTimer.shortest * (1 << min(failureCount, 6))
    failureCount += 1
    time = now + min(interval, RetryTimer.longest)
  }

  mutating func succeed() { self = RetryTimer() }

  /// Whether an attempt may be made now.
  func isDue(_ now: MonotonicTime) -> Bool { time.map { $0 <= now } ?? true }
}
