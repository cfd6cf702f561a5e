import Glibc
import Posix

// How long things took, as counts in buckets that grow by an eighth: a bounded number of them, whatever comes.

/// Counts of durations from 0.1 ms to a day, with quantiles that are at most an eighth too high.
package struct LatencyHistogram: Sendable, Equatable {
  private static let smallest = 0.000_1
  private static let bucketsPerDoubling = 6.0

  private var counts = [UInt32](repeating: 0, count: 180)
  /// How many durations there were.
  package private(set) var count = 0

  package init() {}

  package mutating func add(_ duration: Duration) {
    let doublings = log2(max(1, duration.inSeconds / LatencyHistogram.smallest))
    counts[min(Int(doublings * LatencyHistogram.bucketsPerDoubling), counts.count - 1)] += 1
    count += 1
  }

  /// The duration that this share of all did not exceed; nil when there were none.
  package func quantile(_ share: Double) -> Duration? {
    var left = max(1, Int((Double(count) * share).rounded(.up)))
    for (bucket, count) in counts.enumerated() {
      left -= Int(count)
      guard left <= 0 else { continue }
      let bound = LatencyHistogram.smallest * exp2(Double(bucket + 1) / LatencyHistogram.bucketsPerDoubling)
      return .nanoseconds(Int64(bound * 1e9))
    }
    return nil
  }
}

/// The durations of about the last minute: two halves, of which the older one is forgotten when the newer one is full.
struct RecentLatency: Sendable {
  private static let half = Duration.seconds(30)

  private var older = LatencyHistogram()
  private(set) var newer = LatencyHistogram()
  private var turn: MonotonicTime?

  mutating func add(_ duration: Duration, now: MonotonicTime) {
    pass(now: now)
    newer.add(duration)
  }

  /// Time passes.
  mutating func pass(now: MonotonicTime) {
    guard let last = turn else { return turn = now }
    guard now - last >= RecentLatency.half else { return }
    older = now - last >= RecentLatency.half * 2 ? LatencyHistogram() : newer
    (newer, turn) = (LatencyHistogram(), now)
  }

  /// What was recorded in the last half to whole minute.
  var histogram: LatencyHistogram { older.count == 0 ? newer : older.adding(newer) }
}

extension LatencyHistogram {
  fileprivate func adding(_ other: LatencyHistogram) -> LatencyHistogram {
    var sum = self
    for bucket in counts.indices { sum.counts[bucket] += other.counts[bucket] }
    sum.count += other.count
    return sum
  }
}
