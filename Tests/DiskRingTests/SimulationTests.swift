import DiskRing
import RingSimulation
import Testing

/// The simulator in short; `Toolchain/dev sim` is the long form.
@Suite struct SimulationTests {
  @Test(arguments: Script.all.prefix(12))
  func powerIsCutAtEveryCall(script: Script) throws {
    var cases: [RecoveryCase: Int] = [:]
    #expect(try script.cutEverywhere(fates: 1, nested: 20, counting: &cases) > 10)
  }

  @Test(arguments: 1...60 as ClosedRange<UInt64>)
  func randomLives(seed: UInt64) {
    var life = Life(seed: seed)
    let result = life.run()
    #expect(result.violation == nil, "seed \(seed)")
  }

  @Test func aLifeIsTheSameEveryTime() {
    let results = (0..<2).map { _ in
      var life = Life(seed: 5)
      return life.run()
    }
    #expect(results[0].caseCounts == results[1].caseCounts && results[0].crashCount == results[1].crashCount)
  }

  /// A simulator that cannot fail is worth nothing.
  @Test func mistakesAreFound() {
    let canary = Canary(name: "no verification", defects: .noVerification)
    #expect(canary.firstViolation(lifeCount: 300) != nil)
  }
}
