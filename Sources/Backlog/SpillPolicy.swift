import Posix

// When frames go to disk: a pure state machine. Flash memory wears out, so by default it is written only when Kafka does
// not keep up, and until it does again.

/// Decides whether frames are written to disk.
struct SpillPolicy {
  /// What there is in memory.
  struct Pressure {
    /// Bytes of all frames in memory that are not acknowledged.
    var byteCount = 0
    /// When the oldest unacknowledged frame in memory came from its camera; nil when there is none.
    var oldest: MonotonicTime?
    /// The same for frames that are not on disk.
    var oldestUnwritten: MonotonicTime?
    /// There are unacknowledged frames that came, or will have to come, from disk.
    var needsDisk = false
  }

  private let mode: BufferWrite
  private let memoryBudget: Int
  private let spillAfter: Duration
  private(set) var isSpilling: Bool
  private var isStopping = false

  init(mode: BufferWrite, memoryBudget: Int, spillAfter: Duration) {
    (self.mode, self.memoryBudget, self.spillAfter) = (mode, memoryBudget, spillAfter)
    isSpilling = mode == .always
  }

  /// From now on everything is written, whatever the pressure.
  mutating func stop() { (isStopping, isSpilling) = (true, true) }

  /// Looks at the pressure.
  mutating func step(_ pressure: Pressure, now: MonotonicTime) {
    if mode == .always || isStopping { return }
    if isSpilling {
      // Half of what begins it, so that it does not begin anew at once.
      isSpilling =
        pressure.needsDisk || pressure.byteCount >= memoryBudget / 4
        || pressure.oldest.map { now - $0 >= spillAfter / 2 } ?? false
    } else {
      isSpilling =
        pressure.byteCount > memoryBudget / 2 || pressure.oldestUnwritten.map { now - $0 >= spillAfter } ?? false
    }
  }

  /// How long nothing may be looked at: a fraction of `spill_after`.
  var lookInterval: Duration { min(max(spillAfter / 8, .milliseconds(20)), .seconds(1)) }
}

/// `buffer.write`: when frames are written to disk.
package enum BufferWrite: String, Sendable, CaseIterable {
  /// When Kafka does not keep up, until it does.
  case onPressure = "on-pressure"
  /// At once, unless Kafka was faster.
  case always
}
