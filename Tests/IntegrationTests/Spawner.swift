import Foundation

/// Starts all children from one thread that lives as long as the process: the kernel kills a child with the *thread* that
/// started it (PR_SET_PDEATHSIG, prctl(2)), and threads of a pool come and go.
// Unchecked because the compiler cannot see the lock: every access to `jobs` holds `condition`.
final class Spawner: @unchecked Sendable {
  static let shared = Spawner()

  private let condition = NSCondition()
  private var jobs: [@Sendable () -> Void] = []

  private init() {
    signal(SIGPIPE, SIG_IGN)
    Thread.detachNewThread { [self] in
      while true { nextJob()() }
    }
  }

  private func nextJob() -> @Sendable () -> Void {
    condition.withLock {
      while jobs.isEmpty { condition.wait() }
      return jobs.removeFirst()
    }
  }

  /// A program that was started, and this side's ends of the pipes that are its standard streams.
  struct Started: Sendable {
    var processID: pid_t = 0
    var input: Int32 = -1
    var output: Int32 = -1
    var errors: Int32 = -1
  }

  /// Starts a program.
  func spawn(_ command: [String], _ variables: [String]) throws -> Started {
    let done = DispatchSemaphore(value: 0)
    let outcome = Outcome()
    condition.withLock {
      jobs.append {
        outcome.error = Self.spawn(command, variables, &outcome.started)
        done.signal()
      }
      condition.signal()
    }
    done.wait()
    guard outcome.error == 0 else {
      throw ChildError(description: "\(command[0]): \(String(cString: strerror(outcome.error)))")
    }
    return outcome.started
  }

  // Unchecked because the semaphore orders the one write before the one read.
  private final class Outcome: @unchecked Sendable {
    var error: Int32 = 0
    var started = Started()
  }

  private static func spawn(_ command: [String], _ variables: [String], _ started: inout Started) -> Int32 {
    var (input, output, errors): ([Int32], [Int32], [Int32]) = ([-1, -1], [-1, -1], [-1, -1])
    guard openPipe(&input), openPipe(&output), openPipe(&errors) else { return errno }
    defer { for descriptor in [input[0], output[1], errors[1]] { close(descriptor) } }
    (started.input, started.output, started.errors) = (input[1], output[0], errors[0])
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (target, descriptor) in [input[0], output[1], errors[1]].enumerated() {
      posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(target))
    }
    // This process ignores SIGPIPE; its children shall not.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    let arguments = (["setpriv", "--pdeathsig", "KILL", "--"] + command).map { strdup($0) } + [nil]
    let environment = variables.map { strdup($0) } + [nil]
    defer { (arguments + environment).forEach { free($0) } }
    return posix_spawnp(&started.processID, "setpriv", &actions, &attributes, arguments, environment)
  }

  /// A pipe that no child inherits: its end must be seen when the one child that was given it is gone. (Only this thread
  /// starts children, so none slips in between.)
  private static func openPipe(_ ends: inout [Int32]) -> Bool {
    guard pipe(&ends) == 0 else { return false }
    return ends.allSatisfy { fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }
  }
}
