import CFFmpeg
import Posix
import Synchronization

// How a blocked FFmpeg call is made to return: it asks a callback every 100 ms at the latest, and the callback compares
// the clock with the deadline of the moment. FFmpeg's own timeouts do not cover a stream that stalls while RTCP lives.

/// The deadline of one camera's present blocking call, and the order to stop.
final class Interrupt: Sendable {
  private let deadline = Atomic<Int64>(.max)
  private struct Orders { var isStopped = false, isHurried = false }
  private let orders = Monitor(Orders())
  private let stopped = Atomic<Bool>(false)
  private let isSayingGoodbye = Atomic<Bool>(false)
  private let quietMark = Atomic<Int64>(.max)
  private let quietStart = Atomic<Int64>(.max)
  private let onQuiet: @Sendable (MonotonicTime) -> Void

  /// `onQuiet` is called once, on the blocked thread, when a quiet mark has passed, with when quiet began.
  init(onQuiet: @escaping @Sendable (MonotonicTime) -> Void = { _ in }) { self.onQuiet = onQuiet }

  /// From now on a blocking call returns with AVERROR_EXIT when `time` has passed.
  func setDeadline(_ time: MonotonicTime) { deadline.store(time.nanoseconds, ordering: .relaxed) }

  /// How long ago the deadline passed; negative while it is ahead.
  func delay(now: MonotonicTime) -> Duration {
    now - MonotonicTime(nanoseconds: deadline.load(ordering: .relaxed))
  }

  /// A blocking call that lasts from `start` until `time` is worth a word, and goes on.
  func setQuietMark(_ time: MonotonicTime, since start: MonotonicTime) {
    quietStart.store(start.nanoseconds, ordering: .relaxed)
    quietMark.store(time.nanoseconds, ordering: .relaxed)
  }

  /// Makes all calls return, now and later, and ends every `sleep`.
  func stop() {
    stopped.store(true, ordering: .relaxed)
    orders.withLock { $0.isStopped = true }
  }

  /// Whether `stop` was called.
  var isStopped: Bool { stopped.load(ordering: .relaxed) }

  /// Whether a blocking call should return now.
  var isDue: Bool {
    let now = MonotonicTime.now().nanoseconds
    if now >= quietMark.load(ordering: .relaxed) {
      quietMark.store(.max, ordering: .relaxed)
      onQuiet(MonotonicTime(nanoseconds: quietStart.load(ordering: .relaxed)))
    }
    return (isStopped && !isSayingGoodbye.load(ordering: .relaxed)) || now >= deadline.load(ordering: .relaxed)
  }

  /// Waits until `time`; false when stopped meanwhile.
  func sleep(until time: MonotonicTime) -> Bool { orders.wait(until: time) { $0.isStopped ? true : nil } == nil }

  /// Waits until `time` at most: less when stopped, or when `endPause` was called since the last one.
  func pause(until time: MonotonicTime) {
    _ = orders.wait(until: time) { $0.isStopped || $0.isHurried ? true : nil }
    orders.withLock { $0.isHurried = false }
  }

  /// Ends the pause under way, or the next one.
  func endPause() { orders.withLock { $0.isHurried = true } }

  /// Runs `goodbye` (RTSP TEARDOWN) with a second of its own, also when a deadline has just passed or the camera was
  /// stopped: cameras allow few sessions, and one that is not torn down stays taken.
  func allowingGoodbye(_ goodbye: () -> Void) {
    isSayingGoodbye.store(true, ordering: .relaxed)
    let interrupted = deadline.exchange((MonotonicTime.now() + .seconds(1)).nanoseconds, ordering: .relaxed)
    goodbye()
    deadline.store(interrupted, ordering: .relaxed)
    isSayingGoodbye.store(false, ordering: .relaxed)
  }

  /// What FFmpeg calls (AVIOInterruptCB). `self` must outlive the context that uses it.
  var callback: AVIOInterruptCB {
    AVIOInterruptCB(
      callback: { opaque in
        guard let opaque else { return 0 }
        return Unmanaged<Interrupt>.fromOpaque(opaque).takeUnretainedValue().isDue ? 1 : 0
      }, opaque: Unmanaged.passUnretained(self).toOpaque())
  }
}
