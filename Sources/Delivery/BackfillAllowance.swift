import Posix

// How much of a backlog may be under way beside new frames, as a pure state machine: what the link carries in `moment`,
// besides what is on its way there and back anyway. So a new frame never stands behind more than that, and a long
// way does not make the backlog slow.

/// The limit of bytes of a backlog that were sent and are not acknowledged.
struct BackfillAllowance {
  /// What may stand in front of a new frame.
  static let moment = Duration.milliseconds(200)
  /// The limit never falls below, so that a link that was idle can show what it carries, bytes.
  static let smallest = 32 << 10
  private static let sliceTime = Duration.milliseconds(250)
  private static let sliceCount = 8

  /// Bytes acknowledged in each of the last slices of time, the present one last.
  private var slices: [Int] = [0]
  private var sliceStart: MonotonicTime?
  /// From sending to acknowledgement when nothing of the backlog is in the way; nil while unknown.
  private(set) var wayTime: Duration?

  /// So many bytes were acknowledged; `latency` is nil unless they had the link for themselves.
  mutating func acknowledged(_ count: Int, latency: Duration?, now: MonotonicTime) {
    pass(now: now)
    slices[slices.count - 1] += count
    if let latency { wayTime = wayTime.map { min(latency, ($0 * 7 + latency) / 8) } ?? latency }
  }

  /// How many bytes of the backlog may be under way.
  func limit(now: MonotonicTime) -> Int {
    let time = BackfillAllowance.moment + min(wayTime ?? .zero, .seconds(5))
    return max(BackfillAllowance.smallest, Int(rate(now: now) * time.inSeconds))
  }

  /// Acknowledged bytes a second, over two seconds or as long as it goes on.
  private func rate(now: MonotonicTime) -> Double {
    guard let start = sliceStart else { return 0 }
    let seconds = (BackfillAllowance.sliceTime * (slices.count - 1) + (now - start)).inSeconds
    return Double(slices.reduce(0, +)) / max(seconds, BackfillAllowance.sliceTime.inSeconds)
  }

  private mutating func pass(now: MonotonicTime) {
    guard let start = sliceStart, now - start < .seconds(2) else {
      (slices, sliceStart) = ([0], now)
      return
    }
    var (end, passed) = (start + BackfillAllowance.sliceTime, start)
    while end <= now {
      slices.append(0)
      (passed, end) = (end, end + BackfillAllowance.sliceTime)
    }
    sliceStart = passed
    slices.removeFirst(max(0, slices.count - BackfillAllowance.sliceCount))
  }
}
