import DiskRing
import RingSimulation
import Testing

/// The simulator in short; `Toolchain/dev sim` is the long form.
@Suite struct SimulationTests {
  @Test(arguments: ["ks", "kpnxkp", "kpsmkpsMkps"])
  func powerIsCutAtEveryCall(text: String) throws {
    let script = try #require(Script.all.first { $0.text == text })
    var cases: [RecoveryCase: Int] = [:]
    #expect(try script.cutEverywhere(fates: 1, nested: 1_000, counting: &cases) > 10)
  }

  @Test(arguments: 1...3 as ClosedRange<UInt64>)
  func randomLives(seed: UInt64) {
    var life = Life(seed: seed)
    #expect(life.run().violation == nil, "seed \(seed)")
  }

  /// A life in which a ring that takes an I/O error for damage loses records.
  @Test func readErrorsLoseNothing() {
    var life = Life(seed: 51)
    #expect(life.run().violation == nil)
    var careless = Life(seed: 51, defects: .errorIsDamage)
    #expect(careless.run().violation != nil)
  }

  @Test func aLifeIsTheSameEveryTime() {
    let results = (0..<2).map { _ in
      var life = Life(seed: 5)
      return life.run()
    }
    #expect(results[0].caseCounts == results[1].caseCounts && results[0].crashCount == results[1].crashCount)
  }

  /// A simulator that cannot fail is worth nothing.
  @Test func mistakesAreFound() throws {
    let script = try #require(Script.all.first { $0.text == "k" })
    var cases: [RecoveryCase: Int] = [:]
    #expect(throws: Violation.self) {
      _ = try script.cutEverywhere(fates: 3, nested: 1_000, defects: .noDirectorySync, counting: &cases)
    }
  }

  @Test func oneFlippedByteCostsOneRecord() throws { #expect(try Flips.run(count: 40) < 40) }
}
