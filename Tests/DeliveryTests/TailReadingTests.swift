import Posix
import Records
import Testing

@testable import Backlog
@testable import Delivery

/// What a reading of Kafka's tail finds, and when it ends.
@Suite struct TailReadingTests {
  static let start = MonotonicTime(nanoseconds: 1_000_000_000)
  private let own: UInt64 = 0x9f2c_4a11_7be0_0d35

  private func reading(end: Int64 = 3, _ limits: TailReading.Limits = .init()) -> TailReading {
    TailReading(
      identity: GatewayIdentity(gateway: "dock-7", ringID: own, epoch: 9), end: end, limits: limits, now: Self.start)
  }

  private func at(_ seconds: Double) -> MonotonicTime { Self.start + .milliseconds(Int64(seconds * 1_000)) }

  private func take(
    _ reading: inout TailReading, _ offset: Int64, _ id: String, chunk: String? = nil, key: String = "dock-7/gate",
    at seconds: Double = 0, bytes: Int = 1_000, _ value: [UInt8]? = nil
  ) {
    var headers = [(name: "ce_specversion", value: "1.0"), (name: "ce_id", value: id)]
    if let chunk { headers.append((name: "ce_chunk", value: chunk)) }
    (value ?? [UInt8](repeating: 7, count: bytes)).withUnsafeBytes { value in
      reading.take(offset: offset, value: value, key: key, headers: headers, now: at(seconds))
    }
  }

  private func frame(_ value: [UInt8], _ offset: Int64) -> RecordedFrame {
    RecordedFrame(fingerprint: value.withUnsafeBytes { FrameFingerprint($0) }, offset: offset)
  }

  private func frameID(_ epoch: UInt64, _ sequence: UInt64) -> FrameID {
    FrameID(ringID: hexadecimal(own), epoch: epoch, sequence: sequence)
  }

  private func offsets(_ reading: TailReading, _ key: String) -> [FrameID: [Int64]]? {
    reading.found[key]?.mapValues { $0.map(\.offset) }
  }

  @Test func ownFramesAreFoundAndNoOthers() {
    var reading = reading(end: 6)
    take(&reading, 0, "9f2c4a117be00d35-7-1")
    take(&reading, 1, "0f2c4a117be00d35-7-2")
    take(&reading, 2, "9f2c4a117be00d35-7-3", key: "dock-7/yard")
    take(&reading, 3, "9f2c4a117be00d35-8-1")
    take(&reading, 4, "9f2c4a117be00d35-x-9")
    reading.take(offset: 5, value: .init(start: nil, count: 0), key: "dock-7/gate", headers: [], now: at(0))
    #expect(offsets(reading, "dock-7/gate") == [frameID(7, 1): [0], frameID(8, 1): [3]])
    #expect(offsets(reading, "dock-7/yard") == [frameID(7, 3): [2]])
  }

  /// Ids of this run, or of later ones, under the ring id that this run has.
  @Test func idsOfThisRunAreSeenByKey() {
    var ids = RingIDs(original: own)
    ids.renew(0x1, from: 8)
    var reading = TailReading(
      identity: GatewayIdentity(gateway: "dock-7", ringIDs: ids, epoch: 9), end: 9, limits: .init(), now: Self.start)
    take(&reading, 0, "0000000000000001-8-1", key: "earlier")
    take(&reading, 1, "0000000000000001-9-1", key: "this")
    take(&reading, 2, "0000000000000001-10-1", key: "later")
    take(&reading, 3, "9f2c4a117be00d35-9-1", key: "before the renewal")
    take(&reading, 4, "0000000000000002-9-1", key: "others")
    #expect(reading.repeatedKeys == ["this", "later"])
    #expect(Set(reading.found.keys) == ["earlier", "this", "later", "before the renewal"])
  }

  @Test func partsCountOnlyWhenAllAreThere() {
    var reading = reading()
    for part in [1, 3, 3] { take(&reading, 0, "9f2c4a117be00d35-7-1.\(part)", chunk: "\(part)/3", [UInt8(part)]) }
    // The same frame sent again in more parts is another set.
    for part in [1, 2] { take(&reading, 1, "9f2c4a117be00d35-7-1.\(part)", chunk: "\(part)/4") }
    for chunk in ["0/1", "5/4", "x", "1/0", "1/5000"] {
      take(&reading, 1, "9f2c4a117be00d35-7-1.1", chunk: chunk)
    }
    #expect(reading.found.isEmpty)
    take(&reading, 2, "9f2c4a117be00d35-7-1.2", chunk: "2/3", [2])
    #expect(reading.found.isEmpty)
    take(&reading, 3, "9f2c4a117be00d35-7-1.3", chunk: "3/3", [3])
    #expect(reading.found["dock-7/gate"] == [frameID(7, 1): [frame([1, 2, 3], 3)]])
  }

  /// A part in the name of another, or one sent once more from the first on: only the bytes count.
  @Test func partsArePutTogetherInTheirOrder() {
    var reading = reading()
    let id = "9f2c4a117be00d35-7-1"
    for (offset, part) in [(1, 1), (2, 9), (1, 1), (3, 3), (2, 2), (3, 3)].enumerated() {
      take(&reading, Int64(offset), "\(id).\(part.0)", chunk: "\(part.0)/3", [UInt8(part.1)])
    }
    #expect(reading.found["dock-7/gate"] == [frameID(7, 1): [frame([1, 2, 3], 5)]])
    for (offset, part) in [(1, 1), (2, 9), (3, 3)].enumerated() {
      take(&reading, Int64(10 + offset), "\(id).\(part.0)", chunk: "\(part.0)/3", [UInt8(part.1)])
    }
    let both = [frame([1, 2, 3], 5), frame([1, 9, 3], 12)]
    #expect(reading.found["dock-7/gate"]?[frameID(7, 1)] == both)
  }

  /// Whoever writes under our ids fills neither the memory nor the place of the frame that came first.
  @Test func whatOthersWriteIsBounded() {
    var reading = reading()
    for value in 0...100 as ClosedRange<UInt8> { take(&reading, Int64(value), "9f2c4a117be00d35-7-1", [value]) }
    let found = reading.found["dock-7/gate"]?[frameID(7, 1)] ?? []
    #expect(found.count == TailReading.likenessLimit)
    #expect(found.first == frame([0], 0))
    for sequence in 1...(TailReading.assemblyLimit + 10) {
      take(&reading, Int64(sequence), "9f2c4a117be00d35-8-\(sequence).1", chunk: "1/2", [1])
    }
    take(&reading, 1_000, "9f2c4a117be00d35-8-1.2", chunk: "2/2", [2])
    #expect(reading.found["dock-7/gate"]?[frameID(8, 1)] == nil)
    take(&reading, 1_001, "9f2c4a117be00d35-8-20.2", chunk: "2/2", [2])
    #expect(reading.found["dock-7/gate"]?[frameID(8, 20)] == [frame([1, 2], 1_001)])
  }

  @Test func itGoesOnUntilNothingOfOursComes() {
    var reading = reading()
    for offset in 0..<3 { take(&reading, Int64(offset), "9f2c4a117be00d35-7-\(offset)", at: 0.5) }
    #expect(reading.outcome(now: at(1.4)) == nil)
    // Still on its way when the reading began.
    take(&reading, 3, "9f2c4a117be00d35-7-3", at: 1.4)
    #expect(reading.outcome(now: at(2.3)) == nil)
    // Another gateway's do not prolong it.
    take(&reading, 4, "00000000000000aa-7-3", at: 2.3)
    #expect(reading.outcome(now: at(2.4)) == .complete)
    #expect(reading.found["dock-7/gate"]?.count == 4)
  }

  @Test func itIsNotOverBeforeTheEndOfThePartition() {
    var reading = reading(end: 1_000)
    take(&reading, 10, "9f2c4a117be00d35-7-1", at: 0.1)
    #expect(reading.outcome(now: at(20)) == nil)
    // What the last offsets held may be gone (compaction, transaction markers).
    reading.reachedEnd(now: at(20))
    #expect(reading.outcome(now: at(20.9)) == nil)
    #expect(reading.outcome(now: at(21)) == .complete)
  }

  @Test func anEmptyTailIsQuietToo() {
    var reading = reading(end: 0)
    #expect(reading.outcome(now: at(5)) == nil)
    reading.reachedEnd(now: at(5))
    #expect(reading.outcome(now: at(6)) == .complete)
  }

  @Test func timeBytesAndMemoryAreBounded() {
    var limits = TailReading.Limits()
    #expect(reading().outcome(now: at(29.9)) == nil)
    #expect(reading().outcome(now: at(30)) == .cut("after 30 s"))
    (limits.byteCount, limits.frameCount) = (1 << 20, 4)
    var heavy = reading(end: 10, limits)
    take(&heavy, 0, "00000000000000aa-7-3", bytes: 1 << 20 + 1)
    #expect(heavy.outcome(now: at(0)) == .cut("after 1 MiB"))
    var many = reading(end: 10, limits)
    for sequence in 1...2 { take(&many, 0, "9f2c4a117be00d35-7-\(sequence)") }
    take(&many, 1, "9f2c4a117be00d35-7-3.1", chunk: "1/2")
    #expect(many.outcome(now: at(0)) == nil)
    take(&many, 1, "9f2c4a117be00d35-7-4.1", chunk: "1/2")
    #expect(many.outcome(now: at(0)) == .cut("after 4 frames"))
  }
}
