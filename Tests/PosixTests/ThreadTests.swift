import Glibc
import Posix
import Testing

@Suite struct ThreadTests {
  @Test func runsUnderItsNameAndIsJoined() {
    let name = Monitor("")
    let thread = Thread.start(name: "cam-a-very-long-name") {
      let bytes = (try? Files.read("/proc/thread-self/comm", limit: 100)) ?? []
      name.withLock { $0 = String(decoding: bytes, as: UTF8.self) }
    }
    #expect(thread.join())
    #expect(thread.join(), "joining twice is allowed")
    #expect(name.read { $0 } == "cam-a-very-long\n")
  }

  @Test func joiningABusyThreadEndsAtTheDeadline() {
    let mayEnd = Monitor(false)
    let thread = Thread.start(name: "busy") { _ = mayEnd.wait { $0 ? true : nil } }
    #expect(!thread.join(until: .now()))
    mayEnd.withLock { $0 = true }
    #expect(thread.join())
  }

  @Test func whatTheThreadHeldIsReleased() {
    final class Held: Sendable {}
    weak var held: Held?
    do {
      let object = Held()
      held = object
      let ended = Monitor(false)
      Thread.start(name: "holds") { [object] in
        _ = object
        ended.withLock { $0 = true }
      }.join()
    }
    // The closure goes right after `join` was let go on.
    while held != nil { sched_yield() }
  }

  @Test func everyIncrementCounts() {
    let counter = Monitor(0)
    let threads = (0..<4).map { index in
      Thread.start(name: "count-\(index)") { for _ in 0..<5_000 { counter.withLock { $0 += 1 } } }
    }
    for thread in threads { thread.join() }
    #expect(counter.read { $0 } == 20_000)
  }

  /// Two threads that wake each other, in turn: a lost wake-up would hang.
  @Test func changesWakeWaiters() {
    let turn = Monitor(0)
    let partner = Thread.start(name: "partner") {
      for round in 0..<500 {
        _ = turn.wait { turn -> Bool? in
          guard turn == 2 * round + 1 else { return nil }
          turn += 1
          return true
        }
      }
    }
    for round in 0..<500 {
      turn.withLock { $0 += 1 }
      _ = turn.wait { $0 == 2 * round + 2 ? true : nil }
    }
    partner.join()
    #expect(turn.read { $0 } == 1_000)
  }

  @Test(arguments: [Int64.min, -1, 0, 1])
  func aDeadlineThatHasPassedDoesNotWait(_ nanoseconds: Int64) {
    let monitor = Monitor(1)
    let deadline = MonotonicTime(nanoseconds: nanoseconds)
    #expect(monitor.wait(until: deadline) { $0 == 2 ? true : nil } == nil)
    #expect(monitor.wait(until: deadline) { $0 == 1 ? "there" : nil } == "there", "the condition is looked at first")
  }

  @Test func theFarthestDeadlineIsLegal() {
    let monitor = Monitor(false)
    let thread = Thread.start(name: "never") {
      _ = monitor.wait(until: MonotonicTime(nanoseconds: .max)) { $0 ? true : nil }
    }
    monitor.withLock { $0 = true }
    #expect(thread.join())
  }

  @Test func anErrorLeavesTheLockOpen() {
    struct Failure: Error {}
    let monitor = Monitor(0)
    #expect(throws: Failure.self) { try monitor.withLock { _ in throw Failure() } }
    #expect(throws: Failure.self) { try monitor.read { _ in throw Failure() } }
    #expect(monitor.withLock { $0 } == 0)
  }
}
