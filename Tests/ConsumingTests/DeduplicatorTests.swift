import Testing

@testable import Consuming
@testable import Records

/// Frames that were seen before.
@Suite struct DeduplicatorTests {
  /// `#expect` cannot call a method that changes a value.
  private final class Memory {
    private var deduplicator = Deduplicator()

    func contains(_ id: FrameID, source: String) -> Bool { deduplicator.contains(id, source: source) }
    func insert(_ id: FrameID, source: String) -> Bool { deduplicator.insert(id, source: source) }
    func forget(source: String) { deduplicator.forget(source: source) }
  }

  private func id(_ sequence: UInt64, ring: String = "r", epoch: UInt64 = 1) -> FrameID {
    FrameID("\(ring)-\(epoch)-\(sequence)")!
  }

  private func permutations(_ numbers: [UInt64]) -> [[UInt64]] {
    numbers.isEmpty
      ? [[]]
      : numbers.indices.flatMap { index in
        var rest = numbers
        let first = rest.remove(at: index)
        return permutations(rest).map { [first] + $0 }
      }
  }

  /// Every order of numbers that touch, and of those at the ends of what a number can be.
  @Test(arguments: [[1, 2, 3, 5, 6, 9], [0, 1, 2, UInt64.max - 1, UInt64.max]] as [[UInt64]])
  func eachFrameIsNewOnce(_ numbers: [UInt64]) {
    for order in permutations(numbers) {
      let deduplicator = Memory()
      for (index, number) in order.enumerated() {
        #expect(deduplicator.insert(id(number), source: "s"), "\(order)")
        for known in order[...index] {
          #expect(deduplicator.contains(id(known), source: "s"), "\(order)")
          #expect(!deduplicator.insert(id(known), source: "s"), "\(order)")
        }
        for unknown in order[(index + 1)...] { #expect(!deduplicator.contains(id(unknown), source: "s"), "\(order)") }
      }
    }
  }

  /// However many holes there are, and wherever the number lies: it is remembered, at the cost of another.
  @Test(arguments: [0, 255, 1_001] as [UInt64])
  func whatWasJustInsertedIsRemembered(_ number: UInt64) {
    let deduplicator = Memory()
    for hole in 0..<UInt64(Deduplicator.rangeLimit) { _ = deduplicator.insert(id(2 + hole * 2), source: "s") }
    #expect(deduplicator.insert(id(number), source: "s"))
    #expect(deduplicator.contains(id(number), source: "s"))
  }

  @Test func sourcesRingsAndEpochsAreApart() {
    let deduplicator = Memory()
    #expect(deduplicator.insert(id(1), source: "a"))
    #expect(deduplicator.insert(id(1), source: "b"))
    #expect(deduplicator.insert(id(1, ring: "q"), source: "a"))
    #expect(deduplicator.insert(id(1, epoch: 2), source: "a"))
    #expect(!deduplicator.insert(id(1), source: "a"))
  }

  /// Its partition may come back from an earlier offset, and then everything must be processed again.
  @Test func aSourceCanBeForgotten() {
    let deduplicator = Memory()
    #expect(deduplicator.insert(id(1), source: "a"))
    #expect(deduplicator.insert(id(1), source: "b"))
    deduplicator.forget(source: "a")
    #expect(deduplicator.insert(id(1), source: "a"))
    #expect(!deduplicator.insert(id(1), source: "b"))
  }

  /// Memory is bounded, so the oldest is forgotten, and only that.
  @Test func theOldestRangesAndEpochsAreForgotten() {
    let deduplicator = Memory()
    let last = UInt64(Deduplicator.rangeLimit) * 2
    for number in stride(from: 0, through: last, by: 2) { #expect(deduplicator.insert(id(number), source: "s")) }
    #expect(!deduplicator.insert(id(2), source: "s"))
    #expect(!deduplicator.insert(id(last), source: "s"))
    for epoch in 2...UInt64(Deduplicator.epochLimit) { #expect(deduplicator.insert(id(1, epoch: epoch), source: "s")) }
    #expect(!deduplicator.insert(id(last), source: "s"))
    #expect(deduplicator.insert(id(1, epoch: 100), source: "s"))
    #expect(!deduplicator.insert(id(1, epoch: 2), source: "s"))
    #expect(deduplicator.insert(id(last), source: "s"))
  }
}
