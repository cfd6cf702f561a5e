import Glibc

// A lock with a condition variable: what a queue between threads needs and `Synchronization.Mutex` does not have.
// Invariant: `state` is touched only with the mutex held.

/// State shared by threads, guarded by a mutex, with waiting for a condition (pthread_cond_timedwait(3) on
/// CLOCK_MONOTONIC).
// Unchecked because the compiler cannot see the mutex: every access to `state` goes through `withLock`, `read` or `wait`,
// which hold it. What their bodies return leaves the lock, and must be values or what is safe to share; a reference that is
// not may be handed over whole, taken out of the state by the one who gets it.
package final class Monitor<State>: @unchecked Sendable {
  private var state: State
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// Guards `state`.
  package init(_ state: sending State) {
    self.state = state
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Runs `body` with the lock held, then wakes every waiter to look at its condition again, unless `isNews` says that
  /// the change is nothing to them: a wake-up costs more than most of what is done with the lock held. Keep it short;
  /// never call back into code that may take the same lock.
  package func withLock<Result>(
    wakingIf isNews: (borrowing State) -> Bool = { _ in true }, _ body: (inout State) throws -> Result
  ) rethrows -> Result {
    pthread_mutex_lock(mutex)
    var wakes = true
    // Woken after the unlock: else the waiter would run into the lock and sleep once more.
    defer {
      pthread_mutex_unlock(mutex)
      if wakes { pthread_cond_broadcast(condition) }
    }
    let result = try body(&state)
    wakes = isNews(state)
    return result
  }

  /// Runs `body` with the lock held without waking anybody: for looking, not for changing.
  package func read<Result>(_ body: (borrowing State) throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(state)
  }

  /// Waits until `condition` gives a value or `deadline` has passed (nil = for ever); nil when the deadline passed.
  /// `condition` runs with the lock held and may change the state; a change it makes wakes the other waiters.
  package func wait<Result>(until deadline: MonotonicTime? = nil, for condition: (inout State) -> Result?) -> Result? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let result = condition(&state) {
        pthread_cond_broadcast(self.condition)
        return result
      }
      guard let deadline else {
        pthread_cond_wait(self.condition, mutex)
        continue
      }
      if MonotonicTime.now() >= deadline { return nil }
      var time = timespec(
        tv_sec: Int(deadline.nanoseconds / 1_000_000_000), tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
      pthread_cond_timedwait(self.condition, mutex, &time)
    }
  }
}
