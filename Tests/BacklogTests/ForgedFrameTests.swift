import DiskRing
import Frames
import Posix
import RingSimulation
import Testing

@testable import Backlog

/// Frames on disk whose checksums are right and whose times cannot be.
@Suite struct ForgedFrameTests {
  /// The length of the hole between two of them was computed with a trap, at every start.
  @Test(arguments: [[Int64.min, .max], [.max, .min], [-1, .max]])
  func timesFarApart(times: [Int64]) throws {
    let storage = SimulatedStorage(seed: 1)
    let options = RingOptions(
      size: .bytes(1 << 20 + 5 << 15), segmentByteCount: 32 << 10, minimumEpoch: 1, newRingID: 7)
    let start = MonotonicTime(nanoseconds: 0)
    let description = StreamDescription(name: "gate", topic: "t")
    var ring = try Ring.open(storage, options)
    var stream = try ring.register(description)
    for (index, time) in times.enumerated() {
      let stored = frame(byteCount: 10, captureTime: time, gap: Gap(frameCount: nil, reason: .network))
      let record = NewRecord(
        stream: stream, key: RecordKey(epoch: ring.epoch, sequence: UInt64(index + 1)), isKeyframe: true,
        captureTime: time, metadata: FrameMetadata.encode(stored))
      while ring.append(record, payload: [stored.payload.bytes], now: start) == .notNow { ring.flush(now: start) }
    }
    ring.flush(now: start)
    ring.close()
    storage.endProcess()

    ring = try Ring.open(storage, options)
    stream = try ring.register(description)
    var queue = MemoryQueue(laneCount: 1, byteBudget: 1 << 20, largestFrame: 1 << 16, hasDisk: true)
    queue.restore(ring.inventory, lanes: [description], epoch: ring.epoch)
    let spooler = Spooler(ring: ring, streams: [stream], largestFrame: 1 << 16, thinAbove: nil, queue: &queue)
    spooler.apply(spooler.carryOut(spooler.plan(&queue, isSpilling: false), now: start), to: &queue)
    let taken = times.indices.compactMap { _ in queue.take { _ in true } }
    #expect(taken.map(\.frame.captureTime) == times)
  }
}
