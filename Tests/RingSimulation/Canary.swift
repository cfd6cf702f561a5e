import DiskRing

// Rings with one known mistake each. A simulator that does not find them is worth nothing.

package struct Canary: Sendable {
  package let name: String
  package let defects: RingDefects

  package init(name: String, defects: RingDefects) { (self.name, self.defects) = (name, defects) }

  package static let all = [
    Canary(name: "no salt", defects: .noSalt),
    Canary(name: "spilled before the cursor is durable", defects: .cursorBeforeSync),
    Canary(name: "records before their header is durable", defects: .recordsBeforeHeader),
    Canary(name: "footer before its records are durable", defects: .footerBeforeSync),
    Canary(name: "a failed sync tried again", defects: .retriesSync),
    Canary(name: "one slot for the cursor", defects: .singleCursorSlot),
    Canary(name: "epoch used before it is durable", defects: .epochBeforeSync),
    Canary(name: "names not made durable", defects: .noDirectorySync),
    Canary(name: "payloads not verified", defects: .noVerification),
    Canary(name: "epoch that ignores the clock", defects: .epochIgnoresClock),
    Canary(name: "records wait for a cursor that fails", defects: .cursorBlocks),
    Canary(name: "what cannot be read is damaged", defects: .errorIsDamage),
    Canary(name: "room made for a header that is not durable", defects: .evictsEarly),
    Canary(name: "a ring that is not written again", defects: .degradesForGood),
    Canary(name: "two copies that are read together", defects: .readsCopiesTogether),
    Canary(name: "what cannot be looked at is not there", defects: .forgetsUnread),
  ]

  /// What is found first, in scripts or random lives; nil when nothing is.
  package func firstViolation(lifeCount: UInt64) -> String? {
    var cases: [RecoveryCase: Int] = [:]
    for script in Script.all {
      do { _ = try script.cutEverywhere(fates: 2, nested: 50, defects: defects, counting: &cases) } catch {
        return "\(error)"
      }
    }
    for seed in 1...lifeCount {
      var life = Life(seed: seed, defects: defects)
      if let violation = life.run().violation { return "seed \(seed): \(violation)" }
    }
    return nil
  }
}
