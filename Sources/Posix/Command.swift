import Glibc

// A short command whose output is wanted, bounded in time and length.

package enum Command {
  /// Runs `line` with `/bin/sh -c` and returns its standard output; standard error is ours. Throws ETIMEDOUT when it has
  /// not ended by `deadline` (it is killed), EFBIG when it says more than `limit` bytes, ECHILD when it fails.
  package static func output(
    of line: String, until deadline: MonotonicTime, limit: Int
  ) throws(SystemError) -> [UInt8] {
    var ends: [Int32] = [-1, -1]
    _ = try retryingInterrupts("pipe") { pipe(&ends) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let child: pid_t
    do throws(SystemError) {
      child = try spawn(line, output: ends[1])
      close(ends[1])
    } catch {
      close(ends[0])
      close(ends[1])
      throw error
    }
    defer { close(ends[0]) }
    var failure: SystemError?
    var bytes: [UInt8] = []
    do throws(SystemError) { bytes = try read(ends[0], until: deadline, limit: limit) } catch { failure = error }
    if failure != nil { kill(-child, SIGKILL) }
    var status: Int32 = 0
    _ = try retryingInterrupts("waitpid") { waitpid(child, &status, 0) }
    if let failure { throw failure }
    if status != 0 { throw SystemError(code: ECHILD, operation: "run the command") }
    return bytes
  }

  private static func spawn(_ line: String, output: Int32) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
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

  private static func read(
    _ descriptor: Int32, until deadline: MonotonicTime, limit: Int
  ) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4_096)
    while true {
      let left = (deadline - MonotonicTime.now()).nanoseconds / 1_000_000
      var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let ready = try retryingInterrupts("poll") { poll(&entry, 1, Int32(clamping: max(0, left))) }
      if ready == 0 { throw SystemError(code: ETIMEDOUT, operation: "run the command") }
      let count = try retryingInterrupts("read") { Glibc.read(descriptor, &chunk, chunk.count) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      if bytes.count > limit { throw SystemError(code: EFBIG, operation: "run the command") }
    }
  }
}
