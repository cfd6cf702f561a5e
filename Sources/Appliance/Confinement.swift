import CPosix
import Glibc
import Posix

// The image's daemons with the rights they need and no others. busybox can drop the user or the capabilities, not both.

/// What a program may do besides what any user may.
package enum Capability: String, Sendable, CaseIterable {
  case netAdmin = "net_admin"
  case netBindService = "net_bind_service"
  case netRaw = "net_raw"
  case sysTime = "sys_time"

  /// Its number in capabilities(7).
  var number: Int32 {
    switch self {
    case .netBindService: CAP_NET_BIND_SERVICE
    case .netAdmin: CAP_NET_ADMIN
    case .netRaw: CAP_NET_RAW
    case .sysTime: CAP_SYS_TIME
    }
  }
}

package enum Confinement {
  /// Becomes `command` (searched in PATH) as the user and group `user`, with `capabilities` alone, for good: neither it
  /// nor what it starts can get more (no_new_privs). Returns only by throwing.
  package static func become(
    _ command: [String], user: UInt32, capabilities: [Capability]
  ) throws(SystemError) -> Never {
    let kept = capabilities.reduce(UInt64(0)) { $0 | 1 << UInt64($1.number) }
    _ = try retryingInterrupts("give up rights") { camgate_confine(user, kept) }
    var arguments = command.map { strdup($0) } + [nil]
    execvp(command[0], &arguments)
    throw SystemError(code: errno, operation: "start \(command[0])")
  }
}
