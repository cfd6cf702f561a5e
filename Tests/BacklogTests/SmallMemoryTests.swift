import Frames
import Posix
import Testing

@testable import Backlog

/// Memory may be the limit only where the disk is slower than the cameras.
@Suite struct SmallMemoryTests {
  /// 2.8 Mbit/s in 200 frames a second, a minute of outage, 4 MiB of memory of which frames under way to Kafka have more
  /// than half, and a card whose syncs take 133 ms.
  @Test func anOutageDropsNothingThatTheDiskCanTake() throws {
    var spool = try SimulatedSpool(laneCount: 1, memory: 4 << 20, syncTime: .milliseconds(133))
    var (underWay, byteCount): ([Entry], Int) = ([], 0)
    for _ in 0..<12_000 {
      spool.append(1_750, to: 0, keyframes: 50)
      if byteCount < 5 << 19, let entry = spool.queue.take(where: { _ in true }) {
        underWay.append(entry)
        byteCount += entry.byteCount
      }
      spool.step(.milliseconds(5))
      guard spool.dropCount == 0 else { break }
    }
    #expect(spool.dropCount == 0, "after \(spool.now.nanoseconds / 1_000_000) ms")
    #expect(spool.queue.byteCount <= 4 << 20)

    // Kafka is back.
    for entry in underWay { spool.queue.finish(entry) }
    var last = underWay.last?.sequence ?? 0
    while !spool.queue.isEmpty {
      while let entry = spool.queue.take(where: { _ in true }) {
        #expect(entry.sequence == last + 1 && entry.frame.gap == nil)
        last = entry.sequence
        spool.queue.finish(entry)
      }
      spool.step(.milliseconds(5))
    }
    #expect(last == 12_000)
  }

  /// Eight cameras with 3 Mbit/s each in an outage: half a second of it is under way to Kafka, and more
  /// has come back from there. That is safe on disk and keeps no memory from what comes while the disk stalls for five
  /// seconds.
  @Test func eightCamerasOutlastAStallOfTheDisk() throws {
    var spool = try SimulatedSpool(laneCount: 8, memory: 32 << 20, syncTime: .milliseconds(20))
    func capture(_ seconds: Int, _ spool: inout SimulatedSpool) {
      for _ in 0..<(25 * seconds) {
        for lane in 0..<8 { spool.append(15_000, to: lane, keyframes: 25) }
        for _ in 0..<8 { spool.step(.milliseconds(5)) }
      }
    }
    capture(4, &spool)
    var taken: [Entry] = []
    while taken.count < 600, let entry = spool.queue.take(where: { _ in true }) { taken.append(entry) }
    capture(4, &spool)
    for lane in 0..<8 { spool.queue.putBack(taken[100...].filter { $0.lane.index == lane }) }
    capture(1, &spool)
    spool.syncTime = .seconds(5)
    capture(5, &spool)
    #expect(spool.dropCount == 0)
  }

  /// What is safe on disk and only waits in front, sent back by Kafka, leaves memory when it is needed, and comes back.
  @Test func whatWaitsInFrontLeavesMemory() throws {
    var spool = try SimulatedSpool(laneCount: 1, memory: 400 << 10)
    for _ in 0..<90 { spool.append(1_000, to: 0, keyframes: 10) }
    var taken: [Entry] = []
    while let entry = spool.queue.take(where: { _ in true }) { taken.append(entry) }
    #expect(taken.count == 90)
    for _ in 0..<20 { spool.step(.seconds(1)) }
    spool.queue.putBack(taken)
    for _ in 0..<90 { spool.append(1_000, to: 0, keyframes: 10) }
    #expect(spool.dropCount == 0)
    var last: UInt64 = 0
    for _ in 0..<400 {
      while let entry = spool.queue.take(where: { _ in true }) {
        #expect(entry.sequence == last + 1 && entry.frame.gap == nil)
        last = entry.sequence
        spool.queue.finish(entry)
      }
      spool.step(.milliseconds(5))
    }
    #expect(last == 180 && spool.queue.isEmpty)
  }
}
