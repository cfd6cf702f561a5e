import CPosix
import Glibc

// The two clocks of the process. Decisions and deadlines use the monotonic one; only what is written into records or
// logs uses the wall clock, which may step.

/// A point on CLOCK_MONOTONIC, in nanoseconds (clock_gettime(2)).
package struct MonotonicTime: Sendable, Hashable, Comparable {
  /// Nanoseconds since an arbitrary start; never steps, never goes back.
  package var nanoseconds: Int64

  /// A point given in nanoseconds; tests use it to play time.
  package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// The present.
  package static func now() -> MonotonicTime { MonotonicTime(nanoseconds: readClock(CLOCK_MONOTONIC)) }

  package static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.nanoseconds < right.nanoseconds }

  /// The point `duration` later; saturates, so `.seconds(Int64.max)` means "never".
  package static func + (time: MonotonicTime, duration: Duration) -> MonotonicTime {
    MonotonicTime(nanoseconds: time.nanoseconds.addingSaturated(duration.nanoseconds))
  }

  /// How long after `right` the point `left` is; saturates.
  package static func - (left: MonotonicTime, right: MonotonicTime) -> Duration {
    .nanoseconds(left.nanoseconds.subtractingSaturated(right.nanoseconds))
  }
}

/// The wall clock and, read with it, a clock that never steps.
package struct ClockReading: Sendable, Equatable {
  /// Nanoseconds since 1970-01-01 UTC, as far as the wall clock knows.
  package var wall: Int64
  /// Nanoseconds since the machine was started, asleep or not (CLOCK_BOOTTIME).
  package var boot: Int64

  package init(wall: Int64, boot: Int64) { (self.wall, self.boot) = (wall, boot) }

  /// The present.
  package static func now() -> ClockReading {
    ClockReading(wall: readClock(CLOCK_REALTIME), boot: readClock(CLOCK_BOOTTIME))
  }

  /// What the wall clock would have said at another time of this boot, had it been as right as it is at this reading.
  package func wall(atBoot boot: Int64) -> Int64 { wall.addingSaturated(boot.subtractingSaturated(self.boot)) }
}

/// The wall clock (CLOCK_REALTIME).
package enum WallClock {
  /// 2026-11-24: no gateway ran before. Boards without a battery start with a clock that is wrong, often by decades.
  package static let earliest: Int64 = 1_795_478_400_000_000_000

  /// The present when the wall clock can be trusted, else nil.
  @Sendable package static func synchronizedReading() -> ClockReading? {
    guard isSynchronized() else { return nil }
    let now = ClockReading.now()
    return now.wall >= earliest ? now : nil
  }

  /// Nanoseconds since 1970-01-01 UTC.
  package static func nanosecondsSince1970() -> Int64 { readClock(CLOCK_REALTIME) }

  /// Whether the kernel believes the wall clock is disciplined by NTP or the like (adjtimex(2): not TIME_ERROR).
  package static func isSynchronized() -> Bool { camgate_clock_is_synchronized() == 1 }
}

extension Duration {
  /// The whole duration in nanoseconds; saturates beyond 292 years.
  package var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return seconds < 0 ? .min : .max }
    let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
    return carried ? (seconds < 0 ? .min : .max) : sum
  }

  /// The whole duration in seconds, for people and ratios.
  package var inSeconds: Double { Double(nanoseconds) / 1e9 }
}

// Times that a camera or a file gives may be any number; arithmetic with them ends at the limits and never traps.
extension Int64 {
  /// `self + other`, at most `.max`, at least `.min`.
  package func addingSaturated(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other < 0 ? .min : .max) : sum
  }

  /// `self - other`, at most `.max`, at least `.min`.
  package func subtractingSaturated(_ other: Int64) -> Int64 {
    let (difference, overflow) = subtractingReportingOverflow(other)
    return overflow ? (other < 0 ? .max : .min) : difference
  }
}

private func readClock(_ clock: clockid_t) -> Int64 {
  var time = timespec()
  clock_gettime(clock, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
