import DiskRing
import Frames
import Posix
import RingSimulation

@testable import Backlog

// A queue with a ring on a simulated disk whose syncs take time, driven by a clock that the test moves.

struct SimulatedSpool {
  let storage = SimulatedStorage(seed: 1)
  var queue: MemoryQueue
  let spooler: Spooler
  var policy: SpillPolicy
  var syncTime: Duration
  private(set) var now = MonotonicTime(nanoseconds: 0)
  private var sync: (request: SyncRequest, end: MonotonicTime)?

  init(laneCount: Int, memory: Int, largestFrame: Int = 20_000, syncTime: Duration = .zero) throws {
    self.syncTime = syncTime
    policy = SpillPolicy(mode: .onPressure, memoryBudget: memory, spillAfter: .seconds(2))
    queue = MemoryQueue(laneCount: laneCount, byteBudget: memory, largestFrame: largestFrame, hasDisk: true)
    let ring = try Ring.open(
      storage, RingOptions(size: .bytes(1 << 20 + 12 << 22), segmentByteCount: 4 << 20, minimumEpoch: 100))
    let streams = try (0..<laneCount).map {
      try ring.register(StreamDescription(name: "cam-\($0)", topic: "cameras"))
    }
    spooler = Spooler(
      ring: ring, streams: streams, largestFrame: queue.readAhead - Entry.overhead, thinAbove: nil, queue: &queue)
    queue.presentEpoch = ring.epoch
  }

  /// Frames dropped so far, in all lanes.
  var dropCount: UInt64 {
    queue.lanes.indices.reduce(0) { $0 + queue.drops(in: Lane(index: $1)).values.reduce(0, +) }
  }

  /// Every `keyframes`-th frame of a lane is a keyframe.
  mutating func append(_ byteCount: Int, to lane: Int, keyframes: UInt64 = 1) {
    let isKeyframe = queue.lanes[lane].nextSequence % keyframes == 1 % keyframes
    queue.append(frame(byteCount: byteCount, isKeyframe: isKeyframe), to: Lane(index: lane), now: now)
  }

  /// Time passes, and the thread of the disk has a round.
  mutating func step(_ duration: Duration) {
    now = now + duration
    if let (request, end) = sync, now >= end {
      storage.endSync(request.file, fails: false)
      spooler.ring.syncFinished(request, nil)
      sync = nil
    }
    _ = spooler.takeEvents(&queue)
    policy.step(queue.pressure, now: now)
    let outcome = spooler.carryOut(spooler.plan(&queue, isSpilling: policy.isSpilling), now: now)
    spooler.apply(outcome, to: &queue)
    _ = spooler.takeEvents(&queue)
    if sync == nil, let request = spooler.nextSync(now: now, isSecuring: false) {
      storage.beginSync(request.file)
      sync = (request, now + syncTime)
    }
  }
}
