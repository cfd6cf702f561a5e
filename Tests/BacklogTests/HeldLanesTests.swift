import Frames
import Posix
import Testing

@testable import Backlog

/// Lanes whose topic takes nothing cost the others no read-ahead.
@Suite struct HeldLanesTests {
  private static let (laneCount, frameCount) = (8, 60)

  /// Eight lanes with a backlog on disk, read ahead into memory for four frames.
  private func spool() throws -> SimulatedSpool {
    var spool = try SimulatedSpool(laneCount: Self.laneCount, memory: 256 << 10)
    for _ in 0..<Self.frameCount {
      for lane in 0..<Self.laneCount {
        spool.append(12_000, to: lane)
        for _ in 0..<5 { spool.step(.seconds(1)) }
      }
    }
    #expect(spool.dropCount == 0)
    return spool
  }

  /// Takes and finishes what there is of these lanes; the numbers of each must follow one another.
  private func send(_ spool: inout SimulatedSpool, _ lanes: Range<Int>, _ sent: inout [Int]) {
    while let entry = spool.queue.take(where: { lanes.contains($0.lane.index) }) {
      sent[entry.lane.index] += 1
      #expect(entry.sequence == sent[entry.lane.index] && entry.frame.gap == nil)
      spool.queue.finish(entry)
    }
  }

  /// Four lanes are held by their topic after they have read ahead; four healthy ones go on sending.
  @Test func heldLanesKeepNobodyWaiting() throws {
    var spool = try spool()
    var sent = Array(repeating: 0, count: Self.laneCount)
    _ = spool.queue.hold((0..<Self.laneCount).map { $0 < 4 })
    for _ in 0..<400 {
      spool.step(.milliseconds(5))
      send(&spool, 4..<8, &sent)
    }
    #expect(sent == [0, 0, 0, 0, 60, 60, 60, 60])
    _ = spool.queue.hold((0..<Self.laneCount).map { _ in false })
    for _ in 0..<400 {
      spool.step(.milliseconds(5))
      send(&spool, 0..<8, &sent)
    }
    #expect(sent == Array(repeating: 60, count: Self.laneCount))
    #expect(spool.queue.isEmpty)
  }

  /// The same of lanes whose place in Kafka is asked for after they have read ahead, as at a start.
  @Test func lanesWithoutAPlaceKeepNobodyWaiting() throws {
    var spool = try spool()
    var sent = Array(repeating: 0, count: Self.laneCount)
    for lane in 0..<4 { spool.queue.lanes[lane].position.isNeeded = true }
    for _ in 0..<400 {
      _ = spool.queue.hold((0..<Self.laneCount).map { _ in false })
      spool.step(.milliseconds(5))
      send(&spool, 4..<8, &sent)
    }
    #expect(sent == [0, 0, 0, 0, 60, 60, 60, 60])
  }

  /// Each lane that can send has a frame in memory sooner or later, though there is room for four of eight.
  @Test func everyLaneHasItsTurn() throws {
    var spool = try spool()
    var sent = Array(repeating: 0, count: Self.laneCount)
    for _ in 0..<8 {
      spool.step(.milliseconds(5))
      send(&spool, 0..<8, &sent)
    }
    let fewest = sent.min() ?? 0
    #expect(fewest >= 2, "\(sent)")
  }
}
