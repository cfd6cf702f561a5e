import DiskRing
import Glibc
import Posix
import RingSimulation

// What CI runs: every script with power cut everywhere, ten thousand random lives, and rings with known mistakes, which
// have to be found by the same means.

/// Says something at once, also into a pipe.
private func say(_ text: String) { try? Files.write(Array((text + "\n").utf8), to: STDOUT_FILENO) }

struct Campaign {
  static let lifeCount: UInt64 = 10_000
  static let threadCount = 2
  /// Outcomes of every power cut in a script; every so many-th also strikes in the recovery.
  static let (fates, nested) = (4, 5)
  /// How often every recovery case has to be met.
  static let fewestHits = 100

  private struct Tally {
    var cases: [RecoveryCase: Int] = [:]
    var strikes: [FaultKind: Int] = [:]
    var operationCounts: [Int] = []
    var crashCount = 0
    var violations: [String] = []
    var nextSeed: UInt64 = 1
    var nextScript = 0
    var scriptLives = 0
    var saidSo = MonotonicTime.now()

    /// How far it has come, every ten seconds.
    mutating func tellProgress() {
      let now = MonotonicTime.now()
      guard now - saidSo >= .seconds(10) else { return }
      saidSo = now
      say(
        "sim: \(min(nextScript, Script.all.count)) of \(Script.all.count) scripts, "
          + "\(min(nextSeed - 1, Campaign.lifeCount)) of \(Campaign.lifeCount) lives")
    }
  }

  /// Runs everything; false when something was violated, missed or never met.
  func run() -> Bool {
    let tally = Monitor(Tally())
    let started = MonotonicTime.now()
    Campaign.inParallel {
      while Campaign.playScript(tally) {}
      while Campaign.liveOnce(tally) {}
    }
    let result = tally.read { $0 }
    var isGood = report(result, seconds: (MonotonicTime.now() - started).inSeconds)
    do { say("sim: 1000 bytes flipped in turn, \(try Flips.run(count: 1_000)) of them cost a record") } catch {
      say("sim: violation: \(error)")
      isGood = false
    }
    let canaries = Monitor((left: Canary.all, areFound: true))
    Campaign.inParallel {
      while let canary = canaries.withLock({ $0.left.popLast() }) {
        if !Campaign.find(canary) { canaries.withLock { $0.areFound = false } }
      }
    }
    if !canaries.read({ $0.areFound }) { isGood = false }
    say(isGood ? "sim: good" : "sim: NOT good")
    return isGood
  }

  /// Some lives, one after another; false when something was violated.
  static func live(_ seeds: ClosedRange<UInt64>) -> Bool {
    var violations = 0
    for seed in seeds {
      var life = Life(seed: seed)
      guard let violation = life.run().violation else { continue }
      say("seed \(seed): \(violation)")
      violations += 1
    }
    say("sim: \(violations) of \(seeds.count) lives violated")
    return violations == 0
  }

  /// One script, or with the numbers of a call and a fate one life of it; false when something was violated.
  static func play(_ script: Script, _ numbers: [Int]) -> Bool {
    var violation: String?
    if numbers.count == 2 {
      violation = script.replay(cutAt: numbers[0], fate: numbers[1])
    } else {
      var cases: [RecoveryCase: Int] = [:]
      do { say("sim: \(try script.cutEverywhere(fates: fates, nested: nested, counting: &cases)) lives") } catch {
        violation = "\(error)"
      }
    }
    if let violation { say("violation: \(violation)") }
    return violation == nil
  }

  private static func inParallel(_ work: @escaping @Sendable () -> Void) {
    let threads = (0..<threadCount).map { Thread.start(name: "sim-\($0)", work) }
    for thread in threads { thread.join() }
  }

  private static func playScript(_ tally: Monitor<Tally>) -> Bool {
    let index = tally.withLock { tally in
      defer { tally.nextScript += 1 }
      return tally.nextScript
    }
    guard index < Script.all.count else { return false }
    var cases: [RecoveryCase: Int] = [:]
    var (lives, violation): (Int, String?) = (0, nil)
    do { lives = try Script.all[index].cutEverywhere(fates: fates, nested: nested, counting: &cases) } catch {
      violation = "\(error)"
    }
    tally.withLock {
      $0.cases.merge(cases, uniquingKeysWith: +)
      $0.scriptLives += lives
      if let violation { $0.violations.append(violation) }
      $0.tellProgress()
    }
    return true
  }

  private static func liveOnce(_ tally: Monitor<Tally>) -> Bool {
    let seed = tally.withLock { tally in
      defer { tally.nextSeed += 1 }
      return tally.nextSeed
    }
    guard seed <= lifeCount else { return false }
    var life = Life(seed: seed)
    let result = life.run()
    tally.withLock {
      $0.cases.merge(result.caseCounts, uniquingKeysWith: +)
      $0.strikes.merge(result.strikes, uniquingKeysWith: +)
      $0.operationCounts.append(result.operationCount)
      $0.crashCount += result.crashCount
      if let violation = result.violation { $0.violations.append("seed \(seed): \(violation)") }
      $0.tellProgress()
    }
    return true
  }

  private func report(_ tally: Tally, seconds: Double) -> Bool {
    let counts = tally.operationCounts.sorted()
    let median = counts.isEmpty ? 0 : counts[counts.count / 2]
    say("sim: \(Script.all.count) scripts, power cut at every call: \(tally.scriptLives) lives")
    say(
      "sim: \(counts.count) random lives, median \(median) operations, \(tally.crashCount) power cuts; all in "
        + "\(Int(seconds)) s")
    for violation in tally.violations.prefix(20) { say("sim: violation: \(violation)") }
    var isGood = tally.violations.isEmpty && median >= 200
    for recoveryCase in RecoveryCase.allCases {
      let hits = tally.cases[recoveryCase] ?? 0
      let isEnough = hits >= Campaign.fewestHits
      say("sim: \(recoveryCase.rawValue) was met \(hits) times\(isEnough ? "" : ", too rarely")")
      if !isEnough { isGood = false }
    }
    for kind in FaultKind.allCases {
      let strikes = tally.strikes[kind] ?? 0
      let isEnough = strikes >= Campaign.fewestHits
      say("sim: fault '\(kind.rawValue)' struck \(strikes) times\(isEnough ? "" : ", too rarely")")
      if !isEnough { isGood = false }
    }
    return isGood
  }

  private static func find(_ canary: Canary) -> Bool {
    let found = canary.firstViolation(lifeCount: Campaign.lifeCount)
    if let found {
      say("sim: canary '\(canary.name)' found: \(found)")
    } else {
      say("sim: canary '\(canary.name)' NOT found")
    }
    return found != nil
  }
}
