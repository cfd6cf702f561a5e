import DiskRing
import Frames
import Posix
import Testing

@testable import Backlog

/// Where a camera's frames go that has a lane for what has to wait.
@Suite struct LiveFirstTests {
  private let live = Lane(index: 0)
  private let backfill = Lane(index: 1)

  private func queue() -> MemoryQueue {
    var queue = MemoryQueue(laneCount: 2, byteBudget: 1 << 20, largestFrame: 1 << 10)
    queue.pair(0, with: 1)
    return queue
  }

  private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

  /// Appends a frame and says where it went.
  private func append(
    _ queue: inout MemoryQueue, at seconds: Double, isKeyframe: Bool = true, gap: Gap? = nil
  ) -> Lane {
    let before = queue.lanes[1].back.count
    queue.append(frame(byteCount: 10, isKeyframe: isKeyframe, gap: gap), to: live, now: at(seconds))
    return queue.lanes[1].back.count > before ? backfill : live
  }

  @Test func whileKafkaKeepsUpEverythingIsLive() throws {
    var queue = queue()
    for second in 0..<10 {
      #expect(append(&queue, at: Double(second)) == live)
      let entry = try #require(queue.take { _ in true })
      queue.finish(entry)
    }
  }

  @Test func whatHasToWaitGoesBehindInWholeGOPsAndBack() throws {
    var queue = queue()
    #expect(append(&queue, at: 0) == live)
    let first = try #require(queue.take { _ in true })
    #expect(append(&queue, at: 1.9) == live)
    #expect(append(&queue, at: 2.5, isKeyframe: false) == live)
    #expect(append(&queue, at: 3) == backfill)
    #expect(append(&queue, at: 3.1, isKeyframe: false) == backfill)
    queue.finish(first)
    // One of the live lane is still there.
    #expect(append(&queue, at: 4) == backfill)
    while let entry = queue.take(where: { $0.lane == live }) { queue.finish(entry) }
    #expect(append(&queue, at: 4.5, isKeyframe: false) == backfill)
    #expect(append(&queue, at: 5) == live)
    // What waits is not in its way.
    #expect(append(&queue, at: 5.1) == live)
    #expect(queue.take { $0.lane == live }?.sequence == 8)
    #expect(queue.take { $0.lane == backfill }?.sequence == 4)
  }

  /// A new frame that Kafka has says nothing of an older one that waits in memory.
  @Test func whatIsPromisedHoldsForBothLanes() throws {
    var queue = queue()
    _ = append(&queue, at: 0)
    #expect(queue.securedThrough(0) == nil)
    let first = try #require(queue.take { _ in true })
    _ = append(&queue, at: 1)
    #expect(append(&queue, at: 3) == backfill)
    queue.finish(first)
    let second = try #require(queue.take { $0.lane == live })
    queue.finish(second)
    #expect(queue.securedThrough(0) == FrameNumber(sequence: 2))
    #expect(append(&queue, at: 3.1) == live)
    let fourth = try #require(queue.take { $0.lane == live })
    queue.finish(fourth)
    // Nothing new: what was said before still holds.
    #expect(queue.securedThrough(0) == nil)
    let third = try #require(queue.nextToWrite(byteLimit: 1 << 20, onlyKeyframes: false).first)
    let mark = Mark(key: RecordKey(epoch: 1, sequence: 3), ordinal: 1)
    queue.written([Written(lane: 1, number: third.number, place: DiskPlace(mark: mark, ticket: 1))])
    #expect(queue.securedThrough(0) == nil)
    queue.durableTicket = 1
    #expect(queue.securedThrough(0) == FrameNumber(sequence: 4))
    #expect(queue.securedThrough(1) == nil)
  }

  @Test func numbersAreTheCamerasAndNeverTwice() {
    var queue = queue()
    for second in 0..<12 { _ = append(&queue, at: Double(second)) }
    var sequences: [UInt64] = []
    while let entry = queue.take(where: { _ in true }) { sequences.append(entry.sequence) }
    #expect(Set(sequences) == Set(1...12))
    #expect(sequences.count == 12)
  }

  /// What is missing in front of a frame is told by it, wherever it goes.
  @Test func aGapIsToldByTheNextFrameOfTheCamera() throws {
    var queue = queue()
    _ = append(&queue, at: 0)
    queue.lanes[0].gap = Gap(frameCount: nil, reason: .restart)
    #expect(append(&queue, at: 3, gap: Gap(frameCount: 2, reason: .damaged)) == backfill)
    let entry = try #require(queue.take { $0.lane == backfill })
    #expect(entry.frame.gap?.reason == .restart)
    #expect(entry.sequence == 4)
    #expect(queue.lanes[0].gap == nil)
  }
}

/// Nothing of a lane leaves before its place in Kafka is known.
@Suite struct LanePositionTests {
  private let place = RecordPosition(partition: 3, offset: 77)

  @Test func framesWaitForThePlace() {
    let backlog = Backlog(laneCount: 2, memoryBudget: 1 << 20, largestFrame: 1 << 10)
    for lane in [front, back] { backlog.append(frame(byteCount: 1), to: lane) }
    backlog.requirePositions()
    #expect(backlog.lanesWithoutPosition == [front, back])
    #expect(backlog.take(until: .now()) { _ in true } == nil)
    backlog.begin(front, at: place)
    #expect(backlog.lanesWithoutPosition == [back])
    #expect(backlog.take(until: .now()) { _ in true }?.lane == front)
    #expect(backlog.take(until: .now()) { _ in true } == nil)
    // A place that cannot be known keeps nothing back.
    backlog.goOn(back)
    #expect(backlog.lanesWithoutPosition.isEmpty)
    #expect(backlog.take(until: .now()) { _ in true }?.lane == back)
  }

  @Test func thePlaceFollowsTheWatermark() throws {
    let backlog = Backlog(laneCount: 1, memoryBudget: 1 << 20, largestFrame: 1 << 10)
    for _ in 0..<3 { backlog.append(frame(byteCount: 1), to: front) }
    #expect(backlog.position(of: front) == nil)
    backlog.begin(front, at: place)
    let entries = (0..<3).compactMap { _ in backlog.take(until: .now()) { _ in true } }
    try #require(entries.count == 3)
    backlog.settle { [.finished(entries[1], at: RecordPosition(partition: 3, offset: 79))] }
    #expect(backlog.position(of: front) == place)
    backlog.settle { [.finished(entries[0], at: RecordPosition(partition: 3, offset: 78))] }
    #expect(backlog.position(of: front)?.offset == 79)
    // The broker does not always say.
    backlog.settle { [.finished(entries[2])] }
    #expect(backlog.position(of: front)?.offset == 79)
    backlog.begin(front, at: place)
    #expect(backlog.position(of: front)?.offset == 79)
  }

  /// What is on disk may only leave when a restart would find the place.
  @Test func whatIsOnDiskWaitsUntilThePlaceIsDurable() {
    var queue = MemoryQueue(laneCount: 1, byteBudget: 1 << 20, largestFrame: 1 << 10)
    queue.append(frame(byteCount: 1), to: front)
    queue.lanes[0].position.isNeeded = true
    queue.begin(0, at: place)
    #expect(queue.isPlaced(0))
    let writing = queue.nextToWrite(byteLimit: 1 << 20, onlyKeyframes: false)
    #expect(writing.count == 1)
    #expect(!queue.isPlaced(0))
    queue.lanes[0].position.isDurable = true
    #expect(queue.isPlaced(0))
  }
}
