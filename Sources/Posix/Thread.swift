import CPosix
import Glibc

// Plain named threads: blocking C calls never run on Swift's cooperative pool.

/// A running POSIX thread.
package final class Thread: Sendable {
  private let finished = Monitor(false)

  private init() {}

  /// Starts a thread that runs `body`. `name` is what `top -H` shows; the kernel keeps its first 15 bytes
  /// (prctl(2), PR_SET_NAME). The thread is detached: it cleans up after itself, `join` waits for `body` to return.
  package static func start(name: String, _ body: @escaping @Sendable () -> Void) -> Thread {
    let thread = Thread()
    let job = Job(name: name, body: body, thread: thread)
    var handle = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 1 << 20)
    let code = pthread_create(
      &handle, &attributes,
      { argument in
        guard let argument else { return nil }
        let job = Unmanaged<Job>.fromOpaque(argument).takeRetainedValue()
        _ = camgate_name_this_thread(job.name)
        job.body()
        job.thread.finished.withLock { $0 = true }
        return nil
      }, Unmanaged.passRetained(job).toOpaque())
    precondition(code == 0, "pthread_create failed: \(describe(errno: code)); the system is out of memory or threads")
    return thread
  }

  /// Lets the calling thread sleep (clock_nanosleep(2) on CLOCK_MONOTONIC); for pauses that nothing has to end.
  package static func sleep(_ duration: Duration) {
    let end = MonotonicTime.now() + duration
    var time = timespec(tv_sec: Int(end.nanoseconds / 1_000_000_000), tv_nsec: Int(end.nanoseconds % 1_000_000_000))
    while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
  }

  /// Waits for the thread's body to return; false when `deadline` passed first (nil = waits for ever).
  @discardableResult
  package func join(until deadline: MonotonicTime? = nil) -> Bool {
    finished.wait(until: deadline) { $0 ? true : nil } ?? false
  }
}

private final class Job: Sendable {
  let name: String
  let body: @Sendable () -> Void
  let thread: Thread

  init(name: String, body: @escaping @Sendable () -> Void, thread: Thread) {
    self.name = name
    self.body = body
    self.thread = thread
  }
}
