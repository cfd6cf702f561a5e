import CPosix
import Glibc

// Which system calls pass, as a program for the kernel's classic BPF machine (seccomp(2); Documentation/userspace-api/
// seccomp_filter.rst). It sees one `struct seccomp_data`: the call's number in word 0, the architecture in word 1, the
// arguments from byte 16 on, little end first here. Only the number is looked at, but for clone, whose flags may ask for
// namespaces. A value: the test runs the program on a machine of its own.

/// A filter for system calls.
struct CallFilter {
  /// What is let through.
  enum Policy: Sendable {
    /// Only what the gateway is known to use.
    case expectedOnly
    /// All but what it must never use.
    case allButForbidden
  }

  /// What becomes of a call.
  enum Verdict: Sendable, Equatable {
    case allowed
    /// The listener is told, and answers with an error.
    case told
    /// It fails with this errno, and the listener is not told.
    case failed(Int32)
  }

  let instructions: [sock_filter]

  /// `isTold`: there is a listener. Otherwise what is refused fails without a word.
  init(_ policy: Policy, isTold: Bool) {
    var program: [sock_filter] = []
    func load(_ offset: Int) {
      program.append(sock_filter(code: UInt16(BPF_LD | BPF_W | BPF_ABS), jt: 0, jf: 0, k: UInt32(offset)))
    }
    func end(_ verdict: Verdict) {
      let value =
        switch verdict {
        case .allowed: camgate_filter_allow
        case .told: camgate_filter_tell
        case .failed(let code): camgate_filter_error | UInt32(code)
        }
      program.append(sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: value))
    }
    /// Goes over the next instruction unless the comparison holds.
    func unless(_ comparison: Int32, _ value: UInt32, _ verdict: Verdict) {
      program.append(sock_filter(code: UInt16(BPF_JMP | comparison | BPF_K), jt: 0, jf: 1, k: value))
      end(verdict)
    }
    let refused: (Int32) -> Verdict = { isTold ? .told : .failed($0) }
    load(4)
    program.append(sock_filter(code: UInt16(BPF_JMP | BPF_JEQ | BPF_K), jt: 1, jf: 0, k: camgate_architecture))
    end(.failed(ENOSYS))
    load(0)
    // x32, the other ABI of this architecture, has numbers of its own from here on.
    unless(BPF_JGE, 0x4000_0000, .failed(ENOSYS))
    // Its flags lie in memory, where a filter cannot look; the C library then uses clone.
    unless(BPF_JEQ, UInt32(SYS_clone3), .failed(ENOSYS))
    if policy == .allButForbidden {
      for call in SystemCall.forbidden { unless(BPF_JEQ, UInt32(call.number), refused(EPERM)) }
    } else {
      for call in SystemCall.expected { unless(BPF_JEQ, UInt32(call.number), .allowed) }
    }
    // clone: four instructions that others go over.
    program.append(sock_filter(code: UInt16(BPF_JMP | BPF_JEQ | BPF_K), jt: 0, jf: 4, k: UInt32(SYS_clone)))
    load(CallFilter.firstArgument)
    program.append(
      sock_filter(code: UInt16(BPF_JMP | BPF_JSET | BPF_K), jt: 0, jf: 1, k: CallFilter.namespaceFlags))
    end(.failed(EPERM))
    end(.allowed)
    end(policy == .allButForbidden ? .allowed : refused(ENOSYS))
    instructions = program
  }

  /// Where the lower half of the first argument is.
  static let firstArgument = 16
  /// CLONE_NEW… of sched.h, CLONE_NEWTIME left out: among clone's own flags its bit is part of the exit signal.
  static let namespaceFlags: UInt32 = 0x7e02_0000

  /// What a refused call fails with.
  static func code(of call: Int32) -> Int32 {
    SystemCall.forbidden.contains { $0.number == call } ? EPERM : ENOSYS
  }
}
