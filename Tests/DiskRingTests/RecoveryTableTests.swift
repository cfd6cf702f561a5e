import Testing

@testable import DiskRing

/// Every combination of what is looked at has exactly one meaning.
@Suite struct RecoveryTableTests {
  @Test(arguments: [
    ("record", RecoveryCase.recordTable), ("segment", RecoveryCase.segmentTable), ("slot", RecoveryCase.slotTable),
  ])
  func isExhaustive(name: String, table: [RecoveryRow]) {
    let width = table[0].conditions.count
    for bits in 0..<(1 << width) {
      let facts = (0..<width).map { bits >> $0 & 1 == 1 }
      // Both of two are sound or blank only when one is.
      if name == "slot", facts[1] && !facts[0] || facts[3] && !facts[2] || facts[1] && facts[2] || facts[0] && facts[3]
      {
        continue
      }
      let rows = table.filter { $0.matches(facts) }
      #expect(rows.count == 1, "\(name) \(facts) is \(rows.map(\.recoveryCase))")
    }
    #expect(table.allSatisfy { $0.conditions.count == width })
  }

  @Test func everyCaseIsInATableOrAboutTheDirectory() {
    let tables = RecoveryCase.recordTable + RecoveryCase.segmentTable + RecoveryCase.slotTable
    let missing = Set(RecoveryCase.allCases).subtracting(tables.map(\.recoveryCase))
    #expect(missing == [.renamed, .stray, .missing])
  }
}
