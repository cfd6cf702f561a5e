import CPosix
import Glibc
import Testing

@testable import Sandboxing

/// The filter's program, run by a machine of the test's own (the classic BPF of seccomp: loads of words, comparisons, answers).
@Suite struct CallFilterTests {
  /// What the program answers for a call.
  private func verdict(
    _ filter: CallFilter, _ call: Int32, argument: UInt32 = 0, architecture: UInt32 = camgate_architecture
  ) throws -> CallFilter.Verdict {
    let words: [UInt32: UInt32] = [0: UInt32(bitPattern: call), 4: architecture, 16: argument]
    var (accumulator, place) = (UInt32(0), 0)
    while true {
      let instruction = filter.instructions[place]
      place += 1
      switch Int32(instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS: accumulator = words[instruction.k, default: 0]
      case BPF_JMP | BPF_JEQ | BPF_K:
        place += Int(accumulator == instruction.k ? instruction.jt : instruction.jf)
      case BPF_JMP | BPF_JGE | BPF_K:
        place += Int(accumulator >= instruction.k ? instruction.jt : instruction.jf)
      case BPF_JMP | BPF_JSET | BPF_K:
        place += Int(accumulator & instruction.k != 0 ? instruction.jt : instruction.jf)
      case BPF_RET | BPF_K:
        if instruction.k == camgate_filter_allow { return .allowed }
        if instruction.k == camgate_filter_tell { return .told }
        #expect(instruction.k & 0xffff_0000 == camgate_filter_error)
        return .failed(Int32(instruction.k & 0xffff))
      default: try #require(Bool(false), "instruction \(instruction.code)")
      }
    }
  }

  private static let policies: [CallFilter.Policy] = [.expectedOnly, .allButForbidden]

  @Test(arguments: policies) func whatTheGatewayUsesPasses(_ policy: CallFilter.Policy) throws {
    let filter = CallFilter(policy, isTold: true)
    for call in SystemCall.expected { #expect(try verdict(filter, call.number) == .allowed, "\(call.name)") }
    // A thread of glibc, and one of another maker.
    for flags: UInt32 in [0x3d_0f00, 0x11] { #expect(try verdict(filter, SYS_clone, argument: flags) == .allowed) }
  }

  @Test(arguments: policies) func whatIsForbiddenIsTold(_ policy: CallFilter.Policy) throws {
    let filter = CallFilter(policy, isTold: true)
    let silent = CallFilter(policy, isTold: false)
    for call in SystemCall.forbidden {
      #expect(try verdict(filter, call.number) == .told, "\(call.name)")
      let code = policy == .expectedOnly ? ENOSYS : EPERM
      #expect(try verdict(silent, call.number) == .failed(code), "\(call.name)")
      #expect(CallFilter.code(of: call.number) == EPERM)
    }
  }

  /// A call in neither list.
  @Test func whatIsUnknown() throws {
    #expect(try verdict(CallFilter(.expectedOnly, isTold: true), 9_999) == .told)
    #expect(try verdict(CallFilter(.expectedOnly, isTold: false), 9_999) == .failed(ENOSYS))
    #expect(try verdict(CallFilter(.allButForbidden, isTold: true), 9_999) == .allowed)
    #expect(CallFilter.code(of: 9_999) == ENOSYS)
  }

  @Test(arguments: policies) func namespacesAndOtherArchitectures(_ policy: CallFilter.Policy) throws {
    let filter = CallFilter(policy, isTold: true)
    for bit: UInt32 in [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
      #expect(try verdict(filter, SYS_clone, argument: bit | 0x11) == .failed(EPERM))
    }
    #expect(try verdict(filter, SYS_clone3) == .failed(ENOSYS))
    #expect(try verdict(filter, SYS_read, architecture: 3) == .failed(ENOSYS))
    #expect(try verdict(filter, SYS_read | 0x4000_0000) == .failed(ENOSYS))
  }

  /// No call is in both lists, none twice; and the kernel takes no more than 4096 instructions.
  @Test func theListsAreSound() {
    let numbers = (SystemCall.forbidden + SystemCall.expected).map(\.number)
    #expect(Set(numbers).count == numbers.count)
    #expect(CallFilter(.expectedOnly, isTold: true).instructions.count < 4_096)
    #expect(SystemCall.name(of: SYS_execve) == "execve" && SystemCall.name(of: 9_999) == "number 9999")
  }
}
