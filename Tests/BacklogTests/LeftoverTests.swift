import DiskRing
import Foundation
import Frames
import Posix
import Testing

@testable import Backlog

/// What earlier runs have left on disk goes before what comes now, from the first moment on.
@Suite struct LeftoverTests {
  private func open(_ directory: String) throws -> DiskBuffer {
    try DiskBuffer.open(
      DiskOptions(
        directory: directory, ring: RingOptions(size: .bytes(33 << 20), segmentByteCount: 4 << 20, minimumEpoch: 1),
        write: .always),
      lanes: [StreamDescription(name: "gate", topic: "cameras")], log: Log { _ in })
  }

  @Test func aNewFrameDoesNotOvertakeThem() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let first = Backlog(laneCount: 1, memoryBudget: 4 << 20, largestFrame: 1 << 20, disk: try open(directory))
    for _ in 0..<3 { first.append(frame(byteCount: 100), to: front) }
    #expect(first.secure(until: .now() + .seconds(60)))
    #expect(first.close().onDisk == 3)

    let second = Backlog(laneCount: 1, memoryBudget: 4 << 20, largestFrame: 1 << 20, disk: try open(directory))
    // At once, before the thread of the disk has had a look.
    second.append(frame(byteCount: 100), to: front)
    #expect(second.lanesWithLeftovers == [front])
    var epochs: [Bool] = []
    while epochs.count < 4, let entry = second.take(until: .now() + .seconds(60), where: { _ in true }) {
      epochs.append(entry.epoch == nil)
      second.settle { [.finished(entry, at: RecordPosition(partition: 1, offset: Int64(epochs.count)))] }
    }
    #expect(epochs == [false, false, false, true])
    #expect(second.position(of: front)?.offset == 4)
    #expect(second.close() == (0, 0))
    // The place in Kafka is found again by the next run.
    let third = Backlog(laneCount: 1, memoryBudget: 4 << 20, largestFrame: 1 << 20, disk: try open(directory))
    #expect(third.position(of: front)?.partition == 1)
    _ = third.close()
  }
}
