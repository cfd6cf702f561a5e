import DiskRing
import Frames
import Posix
import Testing

@testable import Backlog

/// Lanes that are added while a backlog is in use.
@Suite struct AddedLanesTests {
  private let streams = ["a", "b"].map { StreamDescription(name: $0, topic: "cameras") }

  private func take(_ backlog: Backlog) -> (lane: Int, sequence: UInt64)? {
    let entry = backlog.take(until: .now() + .seconds(60)) { _ in true }
    if let entry { backlog.settle { [.finished(entry, at: nil)] } }
    return entry.map { ($0.lane.index, $0.sequence) }
  }

  @Test func inMemory() throws {
    let backlog = Backlog(laneCount: 1, memoryBudget: 1 << 20, largestFrame: 1 << 20)
    let addedCount = Monitor(0)
    try backlog.addLanes(streams, until: .now()) { addedCount.withLock { $0 += 1 } }
    #expect(addedCount.read { $0 } == 1 && backlog.drops.count == 3)
    backlog.append(frame(byteCount: 100, captureTime: 1), to: Lane(index: 2))
    #expect(take(backlog).map { $0 == (2, 1) } == true)
  }

  /// A camera that goes on in another lane is numbered on.
  @Test func numbersGoOn() throws {
    let backlog = Backlog(laneCount: 2, memoryBudget: 1 << 20, largestFrame: 1 << 20)
    for _ in 0..<3 { backlog.append(frame(byteCount: 100, captureTime: 1), to: Lane(index: 0)) }
    backlog.number(Lane(index: 1), behind: [Lane(index: 0)])
    backlog.append(frame(byteCount: 100, captureTime: 1), to: Lane(index: 1))
    let taken = (0..<4).compactMap { _ in take(backlog) }
    #expect(taken.last.map { $0 == (1, 4) } == true, "\(taken)")
  }

  /// Where places in Kafka are needed, new lanes need theirs.
  @Test func newLanesWaitForTheirPlace() throws {
    let backlog = Backlog(laneCount: 1, memoryBudget: 1 << 20, largestFrame: 1 << 20)
    backlog.requirePositions()
    backlog.begin(Lane(index: 0), at: RecordPosition(partition: 0, offset: 0))
    try backlog.addLanes(streams, until: .now()) {}
    #expect(backlog.lanesWithoutPosition == [Lane(index: 1), Lane(index: 2)])
  }

  /// What a lane has that was added waits on disk for the next run.
  @Test func onDisk() throws {
    let directory = try BacklogDirectory()
    let first = try directory.open()
    let addedCount = Monitor(0)
    try first.addLanes(streams, until: .now() + .seconds(60)) { addedCount.withLock { $0 += 1 } }
    #expect(addedCount.read { $0 } == 1)
    first.append(frame(byteCount: 100, captureTime: 1), to: Lane(index: 0))
    first.append(frame(byteCount: 100, captureTime: 2), to: Lane(index: 2))
    #expect(first.secure(until: .now() + .seconds(60)))
    #expect(first.close() == (onDisk: 2, lost: 0))
    let second = try directory.open()
    #expect(second.lanesWithLeftovers.count == 2 && second.diskCount == 2)
    _ = second.close()
  }
}
