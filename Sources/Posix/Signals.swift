import Glibc

// Signals as events on the main thread: blocked everywhere, taken with sigtimedwait(2). Nothing runs in a handler.

/// The signals a long-running command answers to.
package struct Signals: Sendable {
  /// A signal that arrived.
  package enum Event: Sendable, Equatable {
    /// SIGTERM or SIGINT.
    case stop
    /// SIGHUP.
    case reload
  }

  /// Blocks SIGTERM, SIGINT and SIGHUP in this thread and all it starts later, and ignores SIGPIPE. Call before the
  /// first thread is started (pthread_sigmask(3): new threads inherit the mask).
  package init() {
    var set = Signals.handled
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
  }

  /// The next signal, or nil when none came until `deadline`.
  package func next(until deadline: MonotonicTime) -> Event? {
    while true {
      let left = max(0, (deadline - MonotonicTime.now()).nanoseconds)
      var timeout = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
      var set = Signals.handled
      switch sigtimedwait(&set, nil, &timeout) {
      case SIGTERM, SIGINT: return .stop
      case SIGHUP: return .reload
      default: if MonotonicTime.now() >= deadline { return nil }
      }
    }
  }

  private static var handled: sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, number) }
    return set
  }
}
