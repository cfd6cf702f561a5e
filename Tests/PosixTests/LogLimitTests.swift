import Synchronization
import Testing

@testable import Posix

/// Who says too much is cut short, is counted, and hides nobody else.
@Suite struct LogLimitTests {
  private final class World: Sendable {
    private let state = Mutex((lines: [String](), now: MonotonicTime(nanoseconds: 0)))

    var log: Log {
      Log(level: .debug) { line in
        self.state.withLock { $0.lines.append(String(line.drop { $0 != " " }.dropFirst())) }
      } now: {
        self.state.withLock { $0.now }
      }
    }

    func pass(_ duration: Duration) { state.withLock { $0.now = $0.now + duration } }

    /// What was written since, without the times.
    func take() -> [String] {
      state.withLock { state in
        defer { state.lines = [] }
        return state.lines
      }
    }
  }

  private let world = World()

  /// 232,186 lines in 12 s were seen.
  @Test func aFloodIsCountedAndSaidInFewLines() {
    let log = world.log.about("camera gate")
    for round in 0..<1_000 { log.info(round % 2 == 0 ? "small" : "large") }
    #expect(world.take().count == LineAllowance.burst)
    world.pass(.seconds(10))
    log.info("small")
    #expect(
      world.take() == [
        "info camera gate: small (repeated 450 times)", "info camera gate: large (repeated 450 times)",
        "info camera gate: small",
      ])
  }

  @Test func whatIsAllDifferentIsCountedTogether() {
    let log = world.log.about("kafka")
    for number in 1...200 { log.warning("line \(number)") }
    world.pass(.seconds(10))
    #expect(world.take().last == "warning kafka: line 100")
    world.log.writeOmissions()
    #expect(world.take().isEmpty, "every log has a limit of its own")
    log.writeOmissions()
    #expect(
      world.take() == [
        "warning kafka: line 101 (repeated 1 time)", "warning kafka: line 102 (repeated 1 time)",
        "warning kafka: line 103 (repeated 1 time)", "warning kafka: 97 more lines left out: too many in a short time",
      ])
    log.writeOmissions(isLast: true)
    #expect(world.take().isEmpty)
  }

  /// Whoever still has a part of the log.
  @Test func nothingComesBehindTheEnd() {
    let log = world.log
    let kafka = log.about("kafka")
    for _ in 0..<(LineAllowance.burst + 7) { log.info("small") }
    _ = world.take()
    log.end(.warning, "stopped")
    kafka.error("late")
    log.info("later")
    #expect(world.take() == ["info small (repeated 7 times)", "warning stopped"])
  }

  /// Neither of another subject nor of another level.
  @Test func aFloodHidesNothingElse() {
    let log = world.log
    for _ in 0..<1_000 { log.about("camera gate").info("small") }
    _ = world.take()
    log.about("camera gate").warning("401 Unauthorized")
    log.about("camera gate").error("gone")
    log.about("camera yard").info("small")
    #expect(
      world.take() == [
        "warning camera gate: 401 Unauthorized", "error camera gate: gone", "info camera yard: small",
      ])
  }

  /// One line a second goes on, for as long as it lasts, and no burst is saved up beyond the first.
  @Test func oneLineASecondGoesOn() {
    let log = world.log.about("camera gate")
    for _ in 0..<1_000 { log.info("small") }
    var count = 0
    for second in 1...60 {
      world.pass(.seconds(1))
      _ = world.take()
      for number in 0..<1_000 { log.info("\(second) \(number)") }
      count += world.take().count { !$0.contains("repeated") && !$0.contains("left out") }
    }
    #expect(count == 60)
    world.pass(.seconds(86_400))
    _ = world.take()
    for _ in 0..<1_000 { log.info("small") }
    #expect(world.take().count == LineAllowance.burst + 4, "after what was left out a day ago")
  }

  /// At the end, and only then, what is not due is said too.
  @Test func theRestIsSaidAtTheEnd() {
    let log = world.log.about("camera gate")
    for _ in 0...LineAllowance.burst { log.info("small") }
    _ = world.take()
    log.writeOmissions()
    #expect(world.take().isEmpty)
    log.writeOmissions(isLast: true)
    #expect(world.take() == ["info camera gate: small (repeated 1 time)"])
  }

  @Test func whatIsAskedForIsNotCut() {
    let log = world.log.about("camera gate")
    for _ in 0..<1_000 { log.debug("small") }
    #expect(world.take().count == 1_000)
  }

  /// Whoever could invent subjects would find one left for all.
  @Test func subjectsAreBounded() {
    let log = world.log
    for number in 0..<LogLimit.subjectLimit { log.about("\(number)").info("here") }
    _ = world.take()
    for number in 0..<500 { log.about("other \(number)").info("here") }
    #expect(world.take().count == LineAllowance.burst)
  }
}
