import CXXHash
import Frames
import Testing

@testable import Consuming
@testable import Records

/// Split frames put together.
@Suite struct ReassemblerTests {
  /// `#expect` cannot call a method that changes a value.
  private final class Joiner {
    private var reassembler = Reassembler()
    var incompleteCount: Int { reassembler.incompleteCount }

    func take(_ frame: ReceivedFrame) -> ReceivedFrame? { reassembler.take(frame) }
    func unfinishedOffset(source: String) -> Int64? { reassembler.unfinishedOffset(source: source) }
    func forget(source: String) { reassembler.forget(source: source) }
  }

  private let whole: [UInt8] = Array(0..<100)

  /// Part `number` of `count` of frame `frame`, whose bytes are `whole`.
  private func part(
    _ number: Int, of count: Int, frame: UInt64 = 1, source: String = "/g/cam", checksum: String? = nil
  ) -> ReceivedFrame {
    let size = whole.count / count
    let end = number == count ? whole.count : number * size
    let sum = String(XXH3_64bits(whole, whole.count), radix: 16)
    return received(
      frame * 10 + UInt64(number), source: source,
      part: FramePart(number: number, count: count, groupID: "\(frame)", checksum: checksum ?? sum),
      payload: Array(whole[((number - 1) * size)..<end]))
  }

  private func bytes(_ frame: ReceivedFrame?) -> [UInt8]? { frame.map { Array($0.payload.bytes) } }

  /// Whoever takes over must begin at the first part.
  @Test func anUnfinishedFrameSaysWhereItBegan() {
    let reassembler = Joiner()
    #expect(reassembler.unfinishedOffset(source: "/g/cam") == nil)
    #expect(reassembler.take(part(1, of: 2)) == nil)
    #expect(reassembler.unfinishedOffset(source: "/g/cam") == part(1, of: 2).offset)
    #expect(reassembler.unfinishedOffset(source: "/g/other") == nil)
    #expect(reassembler.take(part(2, of: 2)) != nil)
    #expect(reassembler.unfinishedOffset(source: "/g/cam") == nil)
  }

  @Test func aWholeFramePasses() {
    let reassembler = Joiner()
    #expect(bytes(reassembler.take(received(1, payload: whole))) == whole)
    #expect(reassembler.incompleteCount == 0)
  }

  @Test(arguments: [[1, 2, 3], [3, 2, 1], [2, 1, 3], [1, 1, 2, 2, 3]])
  func partsAreJoinedInTheirOrder(_ numbers: [Int]) throws {
    let reassembler = Joiner()
    for number in numbers.dropLast() { #expect(reassembler.take(part(number, of: 3)) == nil) }
    let last = try #require(numbers.last)
    let frame = try #require(reassembler.take(part(last, of: 3)))
    #expect(bytes(frame) == whole)
    #expect(frame.part == nil)
    #expect(frame.offset == part(numbers[0], of: 3).offset)
    #expect(reassembler.incompleteCount == 0)
  }

  @Test func aFrameOfOnePart() {
    let reassembler = Joiner()
    #expect(bytes(reassembler.take(part(1, of: 1))) == whole)
  }

  @Test func aMissingPartCostsItsFrameOnly() {
    let reassembler = Joiner()
    #expect(reassembler.take(part(1, of: 3)) == nil)
    #expect(reassembler.take(part(3, of: 3)) == nil)
    #expect(reassembler.take(part(1, of: 2, frame: 2)) == nil)
    #expect(bytes(reassembler.take(part(2, of: 2, frame: 2))) == whole)
    #expect(reassembler.incompleteCount == 1)
    #expect(reassembler.take(part(1, of: 2, frame: 3)) == nil)
    #expect(bytes(reassembler.take(received(50, payload: [7]))) == [7])
    #expect(reassembler.incompleteCount == 2)
  }

  @Test(arguments: ["0", "", "not a number", "ffffffffffffffffff"])
  func aWrongChecksumIsCounted(_ checksum: String) {
    let reassembler = Joiner()
    #expect(reassembler.take(part(1, of: 2, checksum: checksum)) == nil)
    #expect(reassembler.take(part(2, of: 2, checksum: checksum)) == nil)
    #expect(reassembler.incompleteCount == 1)
  }

  /// The same group with another count is another frame.
  @Test func partsThatContradictEachOtherAreNotJoined() {
    let reassembler = Joiner()
    #expect(reassembler.take(part(1, of: 2)) == nil)
    #expect(reassembler.take(part(3, of: 4)) == nil)
    #expect(reassembler.incompleteCount == 1)
  }

  @Test func camerasDoNotMix() {
    let reassembler = Joiner()
    #expect(reassembler.take(part(1, of: 2, source: "/g/a")) == nil)
    #expect(reassembler.take(part(1, of: 2, source: "/g/b")) == nil)
    #expect(bytes(reassembler.take(part(2, of: 2, source: "/g/a"))) == whole)
    #expect(bytes(reassembler.take(part(2, of: 2, source: "/g/b"))) == whole)
  }

  @Test func whatWasForgottenBeginsAnew() {
    let reassembler = Joiner()
    #expect(reassembler.take(part(1, of: 2)) == nil)
    reassembler.forget(source: "/g/cam")
    #expect(reassembler.take(part(2, of: 2)) == nil)
    #expect(bytes(reassembler.take(part(1, of: 2))) == whole)
    #expect(reassembler.incompleteCount == 0)
  }
}
