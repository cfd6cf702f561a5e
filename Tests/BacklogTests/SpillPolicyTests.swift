import Posix
import Testing

@testable import Backlog

/// When frames go to disk, step by step.
@Suite struct SpillPolicyTests {
  private let budget = 1_000
  private func at(_ milliseconds: Int) -> MonotonicTime {
    MonotonicTime(nanoseconds: 0) + .milliseconds(milliseconds)
  }

  private func pressure(_ byteCount: Int, oldest: Int? = nil, written: Bool = false, disk: Bool = false)
    -> SpillPolicy.Pressure
  {
    SpillPolicy.Pressure(
      byteCount: byteCount, oldest: oldest.map(at), oldestUnwritten: written ? nil : oldest.map(at), needsDisk: disk)
  }

  private func policy(_ mode: BufferWrite = .onPressure) -> SpillPolicy {
    SpillPolicy(mode: mode, memoryBudget: budget, spillAfter: .seconds(2))
  }

  @Test func aHealthyGatewayLeavesTheDiskAlone() {
    var policy = policy()
    policy.step(pressure(0), now: at(0))
    policy.step(pressure(500, oldest: 8_001), now: at(10_000))
    #expect(!policy.isSpilling)
  }

  @Test func halfTheMemoryIsPressure() {
    var policy = policy()
    policy.step(pressure(501, oldest: 0), now: at(1))
    #expect(policy.isSpilling)
  }

  @Test func soIsAFrameThatWaitsTooLong() {
    var policy = policy()
    policy.step(pressure(1, oldest: 0), now: at(2_000))
    #expect(policy.isSpilling)
  }

  /// What is safe already may wait.
  @Test func aFrameOnDiskIsNoPressure() {
    var policy = policy()
    policy.step(pressure(1, oldest: 0, written: true), now: at(10_000))
    #expect(!policy.isSpilling)
  }

  /// It ends when nothing has to come from disk any more, memory is nearly empty and the oldest frame is young.
  @Test func itGoesOnUntilKafkaHasCaughtUp() {
    var policy = policy()
    policy.step(pressure(600, oldest: 0), now: at(0))
    policy.step(pressure(10, oldest: 9_900, disk: true), now: at(10_000))
    #expect(policy.isSpilling)
    policy.step(pressure(250, oldest: 9_900), now: at(10_000))
    #expect(policy.isSpilling)
    policy.step(pressure(10, oldest: 9_000), now: at(10_000))
    #expect(policy.isSpilling)
    policy.step(pressure(10, oldest: 9_001), now: at(10_000))
    #expect(!policy.isSpilling)
    policy.step(pressure(0), now: at(10_000))
    #expect(!policy.isSpilling)
  }

  @Test func alwaysIsAlways() {
    var policy = policy(.always)
    #expect(policy.isSpilling)
    policy.step(pressure(0), now: at(0))
    #expect(policy.isSpilling)
  }

  @Test func theEndWritesEverything() {
    var policy = policy()
    policy.stop()
    policy.step(pressure(1, oldest: 0), now: at(1))
    #expect(policy.isSpilling)
  }
}
