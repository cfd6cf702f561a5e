import Testing

@testable import Backlog

/// Random lives of a queue with a ring behind it: every frame that was captured leaves once, in order and with its own
/// bytes, or the next one says that it is missing, whatever the disk does.
@Suite struct SpoolPropertyTests {
  @Test(arguments: seeds(150))
  func nothingIsLostInSilence(seed: Int) throws {
    var life = try SpoolLife(seed: UInt64(seed))
    for step in 1...500 {
      try life.step()
      if let complaint = life.complaint {
        Issue.record("seed \(seed), step \(step), \(life.lastOperation): \(complaint)")
        return
      }
    }
    life.empty()
    #expect(life.complaint == nil, "seed \(seed), emptied")
  }
}
