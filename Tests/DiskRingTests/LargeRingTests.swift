import Posix
import RingSimulation
import Testing

@testable import DiskRing

/// What must not grow with the size of a ring, or with the number of its streams.
@Suite struct LargeRingTests {
  static let options = RingOptions(size: .bytes(1 << 20 + 40 << 18), segmentByteCount: 256 << 10, minimumEpoch: 1)

  /// A full ring with records of many streams in every segment, and its streams.
  static func fill(_ storage: SimulatedStorage, streamCount: Int) throws -> (Ring, [StreamID]) {
    let ring = try Ring.open(storage, options)
    let streams = try (0..<streamCount).map {
      try ring.register(StreamDescription(name: "camera-\($0)", topic: "cameras"))
    }
    var sequence = 0
    while ring.freeFiles.count > 1 {
      sequence += 1
      for stream in streams { try spill(ring, stream, 40, as: sequence) }
    }
    ring.flush(now: .start)
    return (ring, streams)
  }

  /// Of a complete segment the sums of its streams and the beginning of its header; the table of streams was read from
  /// every segment, a sixteenth of it once it was longer than a page.
  @Test func openingReadsTheEndsOfSegments() throws {
    let storage = SimulatedStorage(seed: 1)
    let (ring, streams) = try LargeRingTests.fill(storage, streamCount: 48)
    ring.close()
    let before = storage.readByteCount
    let again = try Ring.open(storage, LargeRingTests.options)
    let readByteCount = storage.readByteCount - before
    let ends = again.segments.count * (streams.count * StreamSummary.byteCount + 256)
    let scanned = again.segmentByteCount * 5 / 4
    let rest = 8 * 16 << 10 + 2 * DoubleSlot.fileByteCount
    #expect(again.segments.count > 30)
    #expect(readByteCount < ends + scanned + rest, "\(readByteCount >> 10) KiB")
    #expect(again.inventory.map(\.description.name).count == streams.count)
    again.close()
  }
}
