import Frames
import Synchronization
import Testing

@Suite struct PayloadTests {
  /// Memory that counts how often it was released.
  private final class Counted: Sendable {
    let releases = Atomic<Int>(0)
    var count: Int { releases.load(ordering: .relaxed) }

    func payload(_ byteCount: Int) -> Payload {
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
      memory.copyBytes(from: (0..<byteCount).map { UInt8(truncatingIfNeeded: $0) })
      return Payload(adopting: UnsafeRawBufferPointer(memory)) { [self] in
        memory.deallocate()
        releases.add(1, ordering: .relaxed)
      }
    }
  }

  private func frame(_ payload: Payload) -> Frame {
    Frame(
      codec: .h264, payload: payload, isKeyframe: true, captureTime: 0, clock: .gateway, pts: 0, width: 2, height: 2)
  }

  @Test func releasedOnceWithTheLastReference() {
    let counted = Counted()
    var first: Frame? = frame(counted.payload(8))
    var copies: [Frame]? = [first, first, first].compactMap { $0 }
    first = nil
    #expect(counted.count == 0)
    #expect(copies?[2].payload.bytes[7] == 7)
    copies = nil
    #expect(counted.count == 1)
  }

  @Test func aPrefixKeepsTheWholeAliveAndCopiesNothing() {
    let counted = Counted()
    var whole: Payload? = counted.payload(10)
    let address = whole?.bytes.baseAddress
    var part = whole?.prefix(4).prefix(3)
    whole = nil
    #expect(counted.count == 0)
    #expect(part?.bytes.baseAddress == address)
    #expect(part.map { Array($0.bytes) } == [0, 1, 2])
    part = nil
    #expect(counted.count == 1)
  }

  @Test func prefixLengths() {
    let payload = Payload([1, 2, 3])
    #expect(payload.prefix(3) === payload)
    #expect(payload.prefix(.max) === payload)
    #expect(payload.prefix(0).byteCount == 0)
  }

  @Test(arguments: [[[UInt8]](), [[]], [[1, 2], [], [3]], [[], [9]]])
  func joining(_ parts: [[UInt8]]) {
    func join(_ rest: ArraySlice<[UInt8]>, _ buffers: [UnsafeRawBufferPointer]) -> Payload {
      guard let first = rest.first else { return Payload(joining: buffers) }
      return first.withUnsafeBytes { join(rest.dropFirst(), buffers + [$0]) }
    }
    let payload = join(parts[...], [])
    #expect(Array(payload.bytes) == parts.flatMap { $0 })
    #expect(payload.byteCount == parts.reduce(0) { $0 + $1.count })
  }

  @Test func copiesAreTheirOwn() {
    var array: [UInt8] = [1, 2, 3]
    let payload = Payload(array)
    array[0] = 9
    #expect(Array(payload.bytes) == [1, 2, 3])
    #expect(Payload([]).byteCount == 0)
  }

  /// Everything that holds a frame holds a copy of it: one reference and a few numbers, never the bytes.
  @Test func aFrameIsSmall() {
    #expect(MemoryLayout<Frame>.size <= 160)
  }
}
