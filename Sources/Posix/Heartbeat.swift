import Synchronization

// A sign of life of a thread that works in rounds: who looks at it sees a thread that hangs.

/// When a thread last began a round.
package final class Heartbeat: Sendable {
  private let last: Atomic<Int64>

  /// As if a round began now.
  package init() { last = Atomic(MonotonicTime.now().nanoseconds) }

  /// A round begins.
  package func beat() { last.store(MonotonicTime.now().nanoseconds, ordering: .relaxed) }

  /// How long ago the last round began.
  package func age(now: MonotonicTime) -> Duration {
    now - MonotonicTime(nanoseconds: last.load(ordering: .relaxed))
  }
}
