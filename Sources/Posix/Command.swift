import Glibc

// A short command whose output is wanted, bounded in time and length. What it complains of is kept from our own standard
// error: nobody would look through it for secrets there.

package enum Command {
  /// What a command did.
  package struct Outcome: Sendable {
    /// Its standard output.
    package var output: [UInt8] = []
    /// Its standard error, as far as `complaintLimit`.
    package var complaints: [UInt8] = []
    /// ETIMEDOUT: it did not end by its deadline; EFBIG: it said too much; ECHILD: it failed. Of the first two it was
    /// killed. nil when it ended well.
    package var failure: SystemError?
  }

  /// What is kept of standard error, bytes; the rest is passed over.
  package static let complaintLimit = 4 << 10
  /// How long between two looks whether a command has ended that says nothing more.
  private static let pause = Duration.milliseconds(10)

  /// Runs `line` with `/bin/sh -c` until `deadline` at the latest, with at most `limit` bytes of output; by a helper where
  /// one is installed. Throws when it cannot be started.
  package static func run(
    _ line: String, until deadline: MonotonicTime, limit: Int
  ) throws(SystemError) -> Outcome {
    if let helper = CommandHelper.installed.withLock({ $0 }) {
      return try helper.run(line, until: deadline, limit: limit)
    }
    return try runHere(line, until: deadline, limit: limit)
  }

  /// The same by this process itself.
  static func runHere(
    _ line: String, until deadline: MonotonicTime, limit: Int
  ) throws(SystemError) -> Outcome {
    var output = try Pipe()
    var errors = try Pipe()
    let child = try spawn(line, output: output.writer, errors: errors.writer)
    output.closeWriter()
    errors.closeWriter()
    var outcome = Outcome()
    var status: Int32?
    do throws(SystemError) {
      try follow(child, output.reader, errors.reader, until: deadline, limit: limit, &outcome, &status)
    } catch {
      outcome.failure = error
      // Once it was waited for, its process id may have been reused.
      guard status == nil else { return outcome }
      kill(-child, SIGKILL)
      var ignored: Int32 = 0
      _ = try retryingInterrupts("waitpid") { waitpid(child, &ignored, 0) }
    }
    if let status, status != 0 { outcome.failure = SystemError(code: ECHILD, operation: "run the command") }
    return outcome
  }

  /// Reads until standard output ends, then waits for the end of the command; what it has started and left behind is not
  /// waited for. `status` is the command's (waitpid(2)), once it has ended.
  static func follow(
    _ child: pid_t, _ output: Int32, _ errors: Int32, until deadline: MonotonicTime, limit: Int,
    _ outcome: inout Outcome, _ status: inout Int32?
  ) throws(SystemError) {
    var (hasOutput, hasErrors) = (true, true)
    while true {
      if !hasOutput, status == nil {
        var ended: Int32 = 0
        if try retryingInterrupts("waitpid", { waitpid(child, &ended, WNOHANG) }) == child { status = ended }
      }
      let hasEnded = status != nil
      let now = MonotonicTime.now()
      if !hasEnded, now >= deadline { throw SystemError(code: ETIMEDOUT, operation: "run the command") }
      let patience = hasEnded ? .zero : hasOutput ? deadline - now : min(pause, deadline - now)
      // A descriptor below zero is passed over (poll(2)).
      var entries = [
        pollfd(fd: hasOutput ? output : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: hasErrors ? errors : -1, events: Int16(POLLIN), revents: 0),
      ]
      let milliseconds = Int32(clamping: (patience.nanoseconds + 999_999) / 1_000_000)
      _ = try retryingInterrupts("poll") { poll(&entries, 2, milliseconds) }
      if entries[0].revents != 0 { hasOutput = try read(output, into: &outcome.output) }
      if outcome.output.count > limit { throw SystemError(code: EFBIG, operation: "run the command") }
      if entries[1].revents != 0 { hasErrors = try read(errors, into: &outcome.complaints) }
      outcome.complaints.removeLast(max(0, outcome.complaints.count - complaintLimit))
      if hasEnded, entries[1].revents == 0 || !hasErrors { return }
    }
  }

  /// Whether there may be more.
  private static func read(_ descriptor: Int32, into bytes: inout [UInt8]) throws(SystemError) -> Bool {
    var chunk = [UInt8](repeating: 0, count: 4_096)
    let count = try retryingInterrupts("read") { Glibc.read(descriptor, &chunk, chunk.count) }
    bytes += chunk[..<count]
    return count > 0
  }

  static func spawn(_ line: String, output: Int32, errors: Int32) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
    // Our threads block signals and ignore SIGPIPE; the child shall not. A group of its own can be killed whole.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP
    posix_spawnattr_setflags(&attributes, Int16(flags))
    let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/sh"), strdup("-c"), strdup(line), nil]
    defer { for argument in arguments { free(argument) } }
    var child = pid_t()
    let code = posix_spawn(&child, "/bin/sh", &actions, &attributes, arguments, environ)
    if code != 0 { throw SystemError(code: code, operation: "start /bin/sh") }
    return child
  }

  /// pipe(2), not inherited by commands; both ends are closed with it.
  struct Pipe: ~Copyable {
    let reader: Int32
    private(set) var writer: Int32

    init() throws(SystemError) {
      var ends: [Int32] = [-1, -1]
      _ = try retryingInterrupts("pipe") { pipe(&ends) }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      (reader, writer) = (ends[0], ends[1])
    }

    deinit {
      close(reader)
      if writer >= 0 { close(writer) }
    }

    mutating func closeWriter() {
      close(writer)
      writer = -1
    }
  }
}
