import CPosix
import Glibc
import Posix
import Synchronization

// A process gives up what it does not need, for good, before its first thread: Landlock binds the thread that asks and all it
// starts later (for all threads at once it takes Linux 7.0). What a kernel does not have is said and goes without. A call
// that is refused never kills: it fails, and the log says so once.

/// What a process has given up.
package struct Sandbox: Sendable {
  /// The directories that are left; nil without Landlock.
  private let rules: FileRules?
  /// Whether programs can no longer be run.
  package let isEntered: Bool

  /// Enters it, on the only thread there is. What could not be had is a warning in the log.
  package init(_ rules: FileRules, log: Log) { self.init(rules, Sandbox.policy, bindsAll: true, log: log) }

  /// Enters it; without `bindsAll` for the calling thread only, and those that it starts.
  init(_ rules: FileRules, _ policy: CallFilter.Policy, bindsAll: Bool, log: Log) {
    guard camgate_give_up_new_rights() == 0 else {
      log.warning("no sandbox: no_new_privs is refused (\(describe(errno: errno)))")
      (self.rules, isEntered) = (nil, false)
      return
    }
    isEntered = true
    var parts: [String] = []
    do throws(SystemError) {
      let version = try Landlock.version()
      try Landlock.bind(rules, version: version)
      parts.append("Landlock (ABI \(version))")
      self.rules = rules
    } catch {
      log.warning(
        "no sandbox for files: \(error); the kernel may lack Landlock, or not have it among its modules (lsm=)")
      self.rules = nil
    }
    do throws(SystemError) {
      parts.append(try Sandbox.filterCalls(policy, bindsAll: bindsAll, log))
    } catch { log.warning("no sandbox for system calls: \(error); the kernel may lack seccomp") }
    if !parts.isEmpty { log.info("sandbox: \(parts.joined(separator: ", "))") }
  }

  /// Whether a file may be read.
  package func allowsReading(_ file: String) -> Bool { rules?.allowsReading(file) ?? true }

  /// Whether devices may be opened.
  package var allowsDevices: Bool { rules?.rules.contains { $0.access == .devices } ?? true }

  /// A process that has given nothing up.
  package static let none = Sandbox()

  private init() { (rules, isEntered) = (nil, false) }

  /// Whether this program is linked without shared libraries, so that all it calls is known.
  package static var isStatic: Bool { camgate_is_static() != 0 }

  /// CAMGATE_SANDBOX=strict: as in the static binary, wherever; for tests of the list.
  private static var policy: CallFilter.Policy {
    let isStrict = getenv("CAMGATE_SANDBOX").map { String(cString: $0) } == "strict"
    return isStatic || isStrict ? .expectedOnly : .allButForbidden
  }

  /// A thread waits for refused calls before there can be any.
  private static func filterCalls(
    _ policy: CallFilter.Policy, bindsAll: Bool, _ log: Log
  ) throws(SystemError) -> String {
    let text = policy == .expectedOnly ? "seccomp (known calls only)" : "seccomp (without dangerous calls)"
    // Who waits for an answer may hold the allocator's lock: what answers was made before, and the log comes after.
    _ = CallFilter.code(of: 0)
    let listener = Monitor<Int32?>(nil)
    _ = Thread.start(name: "sandbox") { listen(listener, log) }
    var filter = CallFilter(policy, isTold: true).instructions
    let all: Int32 = bindsAll ? 1 : 0
    let descriptor = camgate_filter_calls(&filter, UInt16(filter.count), all, 1)
    listener.withLock { $0 = descriptor }
    if descriptor >= 0 { return text }
    // Another filter has a listener already, or the kernel is older than 5.7.
    filter = CallFilter(policy, isTold: false).instructions
    _ = try retryingInterrupts("filter system calls") { camgate_filter_calls(&filter, UInt16(filter.count), all, 0) }
    return text + ", what it refuses is not logged"
  }

  /// The thread `sandbox`: answers refused calls, and says of each once that it was.
  private static func listen(_ listener: Monitor<Int32?>, _ log: Log) {
    guard let descriptor = listener.wait(for: { $0 }), descriptor >= 0 else { return }
    var told: Set<Int32> = []
    while true {
      var thread: UInt32 = 0
      let call = camgate_next_refused_call(descriptor, { CallFilter.code(of: $0) }, &thread)
      if call < 0, errno == EINTR || errno == ENOENT { continue }
      if call < 0 { return }
      guard told.insert(call).inserted else { continue }
      let name = (try? Files.read("/proc/self/task/\(thread)/comm", limit: 64)).map {
        String(decoding: $0, as: UTF8.self)
      }
      log.warning(
        "the sandbox refuses the system call \(SystemCall.name(of: call)), asked for by thread "
          + "\((name ?? "\(thread)").trimmingNewlines): nothing in Camgate needs it; not said again")
    }
  }
}

extension String {
  fileprivate var trimmingNewlines: String { filter { !$0.isNewline } }
}
