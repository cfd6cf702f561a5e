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
    var sequence: UInt64 = 0
    while ring.freeFiles.count > 1 {
      sequence += 1
      for stream in streams { append(ring, stream, sequence) }
    }
    ring.flush(now: .start)
    return (ring, streams)
  }

  private static let payload = [UInt8](repeating: 0x5a, count: 4_000)

  private static func append(_ ring: Ring, _ stream: StreamID, _ sequence: UInt64) {
    let record = NewRecord(
      stream: stream, key: RecordKey(epoch: ring.epoch, sequence: sequence), isKeyframe: true, captureTime: 0,
      metadata: [])
    while payload.withUnsafeBytes({ ring.append(record, payload: [$0], now: .start) }) == .notNow {
      ring.flush(now: .start)
    }
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
    // The open segment, the one prepared behind it, the end of the one in front.
    let scanned = again.segmentByteCount * 9 / 4
    let rest = 8 * 16 << 10 + 2 * DoubleSlot.fileByteCount
    #expect(again.segments.count > 30)
    #expect(readByteCount < ends + scanned + rest, "\(readByteCount >> 10) KiB")
    #expect(again.inventory.map(\.description.name).count == streams.count)
    again.close()
  }

  /// What was remembered of earlier searches never changes an answer, in whatever order records are asked for.
  @Test func aSearchFindsWhatALookAtEverySegmentFinds() throws {
    let (ring, streams) = try LargeRingTests.fill(SimulatedStorage(seed: 2), streamCount: 5)
    var random = SeededRandom(seed: 3)
    for step in 0..<400 {
      let stream = streams[random.below(streams.count)]
      let key = RecordKey(epoch: ring.epoch, sequence: UInt64(random.below(Int(ring.lastKey(of: stream).sequence) + 9)))
      let expected = ring.segments.firstIndex { $0.summary(of: stream.number).map { $0.last.key > key } ?? false }
      #expect(ring.firstSegment(of: stream.number, behind: key) == expected ?? ring.segments.endIndex, "step \(step)")
      if step % 5 == 0 { ring.finish(stream, throughUnstored: key) }
      if step % 7 == 0 { LargeRingTests.append(ring, stream, ring.lastKey(of: stream).sequence + 1) }
      if step % 50 == 0, let middle = ring.segments.dropFirst(3).first { ring.evict(middle) }
    }
    ring.close()
  }

  @Test func packedSumsAreLossless() {
    let numbers: [UInt64] = [0, 1, 127, 128, 1 << 32, numberLimit - 1, .max]
    let times: [Int64] = [.min, -1, 0, 1, 1_700_000_000_000_000_000, .max]
    var sums: [UInt16: StreamSummary] = [:]
    var random = SeededRandom(seed: 4)
    func number() -> UInt64 { numbers[random.below(numbers.count)] }
    for stream in (0..<300 as Range<UInt16>).map({ $0 * 217 }) {
      sums[stream] = StreamSummary(
        recordCount: number(), keyframeCount: number(), payloadByteCount: number(),
        first: Mark(key: RecordKey(epoch: number(), sequence: number()), ordinal: number()),
        last: Mark(key: RecordKey(epoch: number(), sequence: number()), ordinal: number()),
        firstTime: times[random.below(times.count)], lastTime: times[random.below(times.count)])
    }
    let packed = PackedSums(sums, epoch: 1_700_000_000)
    var unpacked: [UInt16: StreamSummary] = [:]
    packed.forEach { unpacked[$0] = $1 }
    #expect(unpacked == sums && packed.count == 300)
    #expect(sums.allSatisfy { packed[$0.key] == $0.value } && packed[1] == nil && packed[.max] == nil)
  }
}
