import Posix

// How often a login is tried that the camera refuses: cameras lock one for half an hour after a handful of refusals, and
// again with each one in that time.

/// The tries of one camera's login. A value.
struct LoginTries {
  /// The pauses from the third refusal on of a login that never worked. The last is longer than the lock.
  static let pauses: [Duration] = [60, 120, 300, 900, 2_100].map { .seconds($0) }
  /// The longest pause of a camera that took the login before: it boots, or has too many connections.
  static let longestOnceWorked = Duration.seconds(120)

  private let hasLogin: Bool
  /// Whether the camera took the login at least once.
  private(set) var hasWorked: Bool
  /// Refusals of a login that never worked.
  private var refusalCount = 0

  /// Without a login, refusals are those of a camera that wants one.
  init(hasLogin: Bool, hasWorked: Bool) { (self.hasLogin, self.hasWorked) = (hasLogin, hasLogin && hasWorked) }

  /// The camera let us in.
  mutating func accepted() { hasWorked = hasLogin }

  /// The pause behind a refusal.
  mutating func refused(_ backoff: inout Backoff, jitter: Double) -> Duration {
    guard hasLogin else { return backoff.next(.retrySlowly, jitter: jitter) }
    if hasWorked { return backoff.next(upTo: LoginTries.longestOnceWorked, jitter: jitter) }
    refusalCount += 1
    guard refusalCount >= 3 else { return backoff.next(.retrySlowly, jitter: jitter) }
    // Never less than the pause, or it would still be locked.
    let more = max(0.1, min(jitter, 1)) / 10
    return LoginTries.pauses[min(refusalCount - 3, LoginTries.pauses.count - 1)] * (1 + more)
  }
}
