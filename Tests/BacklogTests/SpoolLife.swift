import DiskRing
import Frames
import Posix
import RingSimulation

@testable import Backlog

// A queue with a ring behind it on a disk that can fail and lose power, driven step by step, and beside it what was
// captured: whatever leaves the queue is compared with that.

/// One random life of queue, spooler and ring.
struct SpoolLife {
  struct Captured {
    var payload: [UInt8]
    var isKeyframe: Bool
    var isAcknowledged = false
    var isQuarantined = false
  }

  /// A frame and its number in the run it belongs to.
  private func key(_ entry: Entry) -> RecordKey {
    RecordKey(epoch: entry.epoch ?? spooler.ring.epoch, sequence: entry.sequence)
  }

  struct LaneRecord {
    var captured: [RecordKey: Captured] = [:]
    /// What an acknowledged frame says is missing in front of it.
    var told: Set<RecordKey> = []
    /// What was handed out last, and not put back.
    var last: RecordKey?
    var taken: [Entry] = []
    /// A frame was quarantined since one was handed out: its successor need not be a keyframe.
    var hasQuarantined = false
    /// Such successors: they stay so when they are put back, or come again from disk.
    var excused: Set<RecordKey> = []
    var acknowledgedCount: UInt64 = 0
    var appendedCount: UInt64 = 0
  }

  var random: SeededRandom
  let shape: Shape
  let storage: SimulatedStorage
  let live = LiveBytes()
  var queue: MemoryQueue
  var spooler: Spooler
  var lanes: [LaneRecord]
  var now = MonotonicTime(nanoseconds: 0)
  var isSpilling = true
  var pendingSync: SyncRequest?
  var restartCount = 0
  var isEmptying = false
  var complaint: String?
  private(set) var lastOperation = "open"

  /// What is different from life to life.
  struct Shape {
    var laneCount: Int
    var budget: Int
    var segmentCount: Int
    var thinAbove: Int?
    var syncFails: Int
    var crashes: Bool
    var keyframes: Int
  }

  init(seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    shape = Shape(
      laneCount: .random(in: 1...3, using: &random), budget: .random(in: 24...120, using: &random) << 10,
      segmentCount: .random(in: 4...12, using: &random), thinAbove: random.chance(20) ? 50 : nil,
      syncFails: random.chance(30) ? 10 : 0, crashes: random.chance(50), keyframes: .random(in: 5...60, using: &random))
    storage = SimulatedStorage(seed: seed)
    if random.chance(20) { storage.faults.writeFails = 3 }
    lanes = Array(repeating: LaneRecord(), count: shape.laneCount)
    queue = SpoolLife.newQueue(shape)
    spooler = try SpoolLife.open(storage, shape, &queue)
  }

  private static func newQueue(_ shape: Shape) -> MemoryQueue {
    MemoryQueue(laneCount: shape.laneCount, byteBudget: shape.budget, largestFrame: 20_000, hasDisk: true)
  }

  private static func open(_ storage: SimulatedStorage, _ shape: Shape, _ queue: inout MemoryQueue) throws -> Spooler {
    let faults = storage.faults
    storage.faults = SimulatedStorage.Faults()
    defer { storage.faults = faults }
    let ring = try Ring.open(
      storage,
      RingOptions(
        size: .bytes(1 << 20 + shape.segmentCount << 15), segmentByteCount: 32 << 10, syncBytes: 16 << 10,
        minimumEpoch: 100, newRingID: 7))
    let lanes = (0..<shape.laneCount).map { StreamDescription(name: "cam-\($0)", topic: "cameras") }
    let streams = try lanes.map { try ring.register($0) }
    queue.restore(ring.inventory, lanes: lanes, epoch: ring.epoch)
    return Spooler(
      ring: ring, streams: streams, largestFrame: queue.readAhead - Entry.overhead, thinAbove: shape.thinAbove,
      queue: &queue)
  }

  // MARK: Steps

  mutating func step() throws {
    now = now + .milliseconds(Int.random(in: 0...200, using: &random))
    let lane = Int.random(in: 0..<shape.laneCount, using: &random)
    switch Int.random(in: 0..<1_000, using: &random) {
    case ..<400: append(to: lane)
    case ..<550: take { _ in true }
    case ..<600:
      let open = (0..<shape.laneCount).filter { _ in random.chance(50) }
      take { open.contains($0.lane.index) }
    case ..<685: acknowledge(lane)
    case ..<690: _ = queue.hold((0..<shape.laneCount).map { _ in random.chance(30) })
    case ..<710: putBack(lane)
    case ..<720: quarantine(lane)
    case ..<850: spool()
    case ..<950: sync()
    case ..<990: isSpilling = random.chance(70)
    case ..<994: if shape.crashes { try restart(crashing: true) }
    case ..<998: if shape.crashes { try restart(crashing: false) }
    default: storage.faults.readFails = random.chance(20) ? 2 : 0
    }
    check()
  }

  private mutating func append(to lane: Int) {
    lastOperation = "append"
    var gap: Gap?
    if random.chance(3) { gap = Gap(frameCount: .random(in: 1...4, using: &random), reason: .damaged) }
    let sequence = queue.lanes[lane].nextSequence + (gap?.frameCount ?? 0)
    let key = RecordKey(epoch: spooler.ring.epoch, sequence: sequence)
    let byteCount = random.chance(2) ? 12_000 : Int.random(in: 24...3_000, using: &random)
    let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(sequence) &+ lane) }
    // As cameras do: a run begins with a keyframe, and so does what follows a hole.
    let isKeyframe = random.chance(shape.keyframes) || gap != nil || queue.lanes[lane].nextSequence == 1
    lanes[lane].captured[key] = Captured(payload: bytes, isKeyframe: isKeyframe)
    lanes[lane].appendedCount += 1
    let payload = live.payload(byteCount: byteCount)
    UnsafeMutableRawBufferPointer(mutating: payload.bytes).copyBytes(from: bytes)
    let new = frame(payload, isKeyframe: isKeyframe, captureTime: now.nanoseconds, gap: gap)
    queue.append(new, to: Lane(index: lane), now: now)
  }

  private mutating func take(where open: (Entry) -> Bool) {
    lastOperation = "take"
    guard let entry = queue.take(where: open) else { return }
    let lane = entry.lane.index
    let key = key(entry)
    guard let captured = lanes[lane].captured[key] else { return complain("took \(key), which nobody captured") }
    if !captured.payload.elementsEqual(entry.frame.payload.bytes) || captured.isKeyframe != entry.frame.isKeyframe {
      complain("took \(key) with other bytes")
    }
    checkOrder(lane, key, entry)
    lanes[lane].taken.append(entry)
    lanes[lane].last = key
  }

  private mutating func acknowledge(_ lane: Int) {
    lastOperation = "acknowledge"
    guard !lanes[lane].taken.isEmpty else { return }
    let entry = lanes[lane].taken.removeFirst()
    let key = key(entry)
    if lanes[lane].captured[key]?.isAcknowledged == false { lanes[lane].acknowledgedCount += 1 }
    lanes[lane].captured[key]?.isAcknowledged = true
    lanes[lane].told.formUnion(missing(in: entry))
    queue.finish(entry)
  }

  private mutating func putBack(_ lane: Int) {
    lastOperation = "put back"
    guard let first = lanes[lane].taken.first else { return }
    queue.putBack(lanes[lane].taken)
    lanes[lane].taken = []
    let key = key(first)
    // What came before it counts as handed out; its gap is checked again.
    lanes[lane].last = before[lane][key] ?? nil
  }

  /// What was handed out in front of a frame, by lane.
  private var before: [[RecordKey: RecordKey?]] = Array(repeating: [:], count: 3)

  private mutating func quarantine(_ lane: Int) {
    lastOperation = "quarantine"
    guard lanes[lane].taken.count == 1, let entry = lanes[lane].taken.first else { return }
    lanes[lane].taken = []
    queue.finish(entry, dropped: .quarantined)
    let key = key(entry)
    lanes[lane].last = before[lane][key] ?? nil
    lanes[lane].hasQuarantined = true
    // What is told of it is not on disk.
    lanes[lane].captured[key]?.isQuarantined = true
  }

  mutating func spool() {
    lastOperation = "spool"
    _ = spooler.takeEvents(&queue)
    let plan = spooler.plan(&queue, isSpilling: isSpilling)
    // Others take and append while the disk works.
    if !isEmptying, random.chance(30) { append(to: 0) }
    if !isEmptying, random.chance(30) { take { _ in true } }
    if random.chance(30) { acknowledge(0) }
    let outcome = spooler.carryOut(plan, now: now)
    spooler.apply(outcome, to: &queue)
    _ = spooler.takeEvents(&queue)
    lastOperation = "spool (\(plan.writes.count) writes, \(outcome.reads.flatMap(\.items).count) reads)"
  }

  mutating func sync() {
    lastOperation = "sync"
    if let request = pendingSync {
      let fails = random.chance(shape.syncFails)
      storage.endSync(request.file, fails: fails)
      spooler.ring.syncFinished(request, fails ? SystemError(code: 5, operation: "fdatasync") : nil)
      pendingSync = nil
    } else if let request = spooler.ring.nextSync(now: now) {
      storage.beginSync(request.file)
      pendingSync = request
    }
  }

  /// The process ends, or the power is cut, and all begins anew with what is on disk.
  private mutating func restart(crashing: Bool) throws {
    lastOperation = crashing ? "crash" : "restart"
    if !crashing {
      isSpilling = true
      for _ in 0..<8 {
        spool()
        spooler.ring.flush(now: now)
      }
      spool()
      spooler.ring.flush(now: now)
    }
    pendingSync = nil
    if crashing { storage.crash() } else { storage.endProcess() }
    queue = SpoolLife.newQueue(shape)
    spooler = try SpoolLife.open(storage, shape, &queue)
    queue.announceRestart()
    restartCount += 1
    for lane in lanes.indices { (lanes[lane].last, lanes[lane].taken) = (nil, []) }
    before = Array(repeating: [:], count: 3)
  }

  /// Sends and acknowledges everything.
  mutating func empty() {
    storage.faults = SimulatedStorage.Faults()
    isEmptying = true
    _ = queue.hold((0..<shape.laneCount).map { _ in false })
    for _ in 0..<20_000 where !queue.isEmpty && complaint == nil {
      now = now + .milliseconds(100)
      spool()
      sync()
      take { _ in true }
      for lane in lanes.indices { while !lanes[lane].taken.isEmpty { acknowledge(lane) } }
      check()
    }
    lastOperation = "empty"
    spool()
    if !queue.isEmpty { complain("\(queue.waitingCount) frames never leave: \(queue.lanes.map { $0.span as Any })") }
    if live.value > 0 { complain("\(live.value) bytes of frames are still held") }
    if restartCount == 0 { checkCounts() }
  }

  // MARK: Checks

  mutating func complain(_ text: String) { complaint = complaint ?? text }

  private mutating func check() {
    if queue.byteCount > shape.budget { complain("\(queue.byteCount) bytes, \(shape.budget) allowed") }
    if live.value > queue.byteCount { complain("\(live.value) bytes are held, \(queue.byteCount) are counted") }
    if queue.waitingCount < 0 { complain("\(queue.waitingCount) frames wait") }
  }

  /// What is missing between two frames is what the second one says.
  private mutating func checkOrder(_ lane: Int, _ key: RecordKey, _ entry: Entry) {
    before[lane][key] = .some(lanes[lane].last)
    let gap = entry.frame.gap
    if lanes[lane].hasQuarantined { lanes[lane].excused.insert(key) }
    lanes[lane].hasQuarantined = false
    if gap != nil, gap?.reason != .quarantined, !lanes[lane].excused.contains(key), !entry.frame.isKeyframe {
      complain("\(key): no keyframe after \(gap!)")
    }
    guard let last = lanes[lane].last else { return }
    if key <= last { return complain("\(key) behind \(last)") }
    guard key.epoch == last.epoch else {
      // The first frame of a run says so. An earlier run may have sent that one from memory without anything on disk
      // knowing of it; then it has sent, or told of, everything between the two as well, and this one tells the rest.
      let skipped = key.epoch == spooler.ring.epoch ? [] : keys(of: key.epoch, from: 1, to: key.sequence)
      let known = skipped.filter { wasSent($0, lane) || lanes[lane].told.contains($0) }
      let isTold = !known.isEmpty && missing(in: entry).count >= skipped.count - known.count
      if gap?.frameCount != nil || gap == nil, !isTold { complain("\(key) follows \(last) without a word") }
      return
    }
    let skipped = keys(of: key.epoch, from: last.sequence + 1, to: key.sequence)
    let told = missing(in: entry)
    // An earlier run has sent some of them, has left others out, and has told of others; of what is on disk that was known
    // only when it was written.
    let isOlder = key.epoch != spooler.ring.epoch
    let known = isOlder ? skipped.filter { wasSent($0, lane) || lanes[lane].told.contains($0) } : []
    let again = isOlder ? told.filter { $0 <= last && !wasAcknowledged($0, lane) } : []
    if told.count < skipped.count - known.count || told.count > skipped.count + again.count {
      complain("\(key) behind \(last) says that \(told.count) are missing: \(skipped.count), \(known.count) known")
    }
  }

  private func keys(of epoch: UInt64, from first: UInt64, to end: UInt64) -> [RecordKey] {
    (first..<max(first, end)).map { RecordKey(epoch: epoch, sequence: $0) }
  }

  /// What a frame says is missing in front of it.
  private func missing(in entry: Entry) -> [RecordKey] {
    let count = min(entry.frame.gap?.frameCount ?? 0, entry.sequence)
    return keys(of: key(entry).epoch, from: entry.sequence - count, to: entry.sequence)
  }

  private func wasSent(_ key: RecordKey, _ lane: Int) -> Bool {
    lanes[lane].captured[key].map { $0.isAcknowledged || $0.isQuarantined } ?? false
  }

  private func wasAcknowledged(_ key: RecordKey, _ lane: Int) -> Bool {
    lanes[lane].captured[key].map { $0.isAcknowledged && !$0.isQuarantined } ?? false
  }

  /// Every frame was acknowledged or counted.
  private mutating func checkCounts() {
    for lane in lanes.indices {
      let dropped = queue.drops(in: Lane(index: lane)).values.reduce(0, +)
      let sum = dropped + lanes[lane].acknowledgedCount
      if sum != lanes[lane].appendedCount {
        complain(
          "lane \(lane): \(lanes[lane].appendedCount) captured, \(lanes[lane].acknowledgedCount) acknowledged, dropped "
            + "\(queue.drops(in: Lane(index: lane)))")
      }
    }
  }
}
