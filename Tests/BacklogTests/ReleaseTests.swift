import DiskRing
import Frames
import Posix
import Testing

@testable import Backlog

/// What leaves memory because it is on disk, and what comes back from there.
@Suite struct ReleaseTests {
  /// A queue with a disk, and what a ring would say of what is written.
  struct Desk {
    var queue: MemoryQueue
    var tickets: Ticket = 0
    var ordinals: [Int: UInt64] = [:]

    init(laneCount: Int = 1, byteBudget: Int = 64 << 10) {
      queue = MemoryQueue(laneCount: laneCount, byteBudget: byteBudget, largestFrame: 16 << 10, hasDisk: true)
    }

    mutating func append(_ byteCount: Int = 100, isKeyframe: Bool = true, to lane: Lane = front) {
      queue.append(frame(byteCount: byteCount, isKeyframe: isKeyframe), to: lane)
    }

    /// Writes everything, and syncs it.
    mutating func write() {
      queue.written(
        queue.nextToWrite(byteLimit: .max, onlyKeyframes: false).map { entry in
          tickets += 1
          ordinals[entry.lane.index, default: 0] += 1
          let mark = Mark(
            key: RecordKey(epoch: 1, sequence: entry.sequence), ordinal: ordinals[entry.lane.index] ?? 0)
          return Written(
            lane: entry.lane.index, number: entry.number, place: DiskPlace(mark: mark, ticket: tickets))
        })
      queue.durableTicket = tickets
    }

    mutating func take(from lane: Lane = front) throws -> Entry {
      try #require(queue.take { $0.lane == lane })
    }
  }

  /// What Kafka has refused for good is left behind on disk when the frame that tells it goes there.
  @Test func aRefusedFrameDoesNotComeBackFromDisk() throws {
    var desk = Desk()
    desk.append()
    desk.write()
    let refused = try desk.take()
    desk.queue.finish(refused, dropped: .quarantined)
    desk.append()
    desk.write()
    let isReleased = desk.queue.releaseOldest()
    #expect(isReleased)
    let span = try #require(desk.queue.readWishes.first?.span)
    #expect(span.after.key.sequence == 1, "reading begins behind \(span.after)")
    #expect(span.count == 1)
  }
}
