import DiskRing
import Frames
import Posix

// The bounded memory of the backlog, as a value without threads. Invariants: the bytes of all frames in memory that are
// not finished never exceed the budget; a lane hands out its frames in order; what a lane has on disk only is older than
// what it has only in memory; frames are dropped in whole GOPs, oldest first, so that a consumer never meets a frame it
// cannot decode; every dropped frame is counted and announced by the `gap` of the next frame of its lane. When memory is
// full, lanes that have more than an equal share of it drop first, so none can crowd out another; while it is not, each has
// what it needs.

/// Frames that wait, and frames that were taken and are not finished yet.
struct MemoryQueue {
  let byteBudget: Int
  let largestFrame: Int
  /// Bytes of the budget that are kept for frames read back from disk.
  let readAhead: Int
  var lanes: [LaneQueue]
  /// Lanes that are added wait for their place in Kafka.
  var needsPositions = false
  private var arrivals: UInt64 = 0

  /// Bytes of all frames in memory that are not finished, waiting or taken.
  var byteCount = 0
  /// Frames in memory that wait to be taken.
  private(set) var memoryWaitingCount = 0
  /// How often something was read back.
  var readTurns: UInt64 = 0
  /// The epoch of this run, as the disk counts them.
  var presentEpoch: UInt64?
  /// All records with tickets up to here survive a crash.
  var durableTicket: Ticket = 0
  /// Frames that were written and wait for a sync, by what they weigh in memory.
  var unsynced = FIFO<(ticket: Ticket, byteCount: Int)>()
  var unsyncedBytes = 0

  /// `largestFrame`: a frame with more bytes than this can never be delivered and is dropped as oversize. `hasDisk`: a
  /// part of the budget is kept for frames on their way back from there.
  init(laneCount: Int, byteBudget: Int, largestFrame: Int, hasDisk: Bool = false) {
    lanes = Array(repeating: LaneQueue(), count: laneCount)
    (self.byteBudget, self.largestFrame) = (byteBudget, largestFrame)
    readAhead = hasDisk ? byteBudget / 4 : 0
  }

  /// Adds an empty lane behind the others; `position` is its place in Kafka, if a restart would find one.
  mutating func addLane(at position: RecordPosition? = nil) {
    var lane = LaneQueue()
    lane.position = LanePosition(start: position, isDurable: position != nil, isNeeded: needsPositions)
    lanes.append(lane)
  }

  /// Frames waiting to be taken, in memory and on disk.
  var waitingCount: Int { memoryWaitingCount + diskCount }

  /// Whether nothing is left to be acknowledged.
  var isEmpty: Bool { byteCount == 0 && lanes.allSatisfy { $0.span == nil } }

  /// Bytes of frames that came back from disk.
  var readBackBytes: Int { lanes.reduce(0) { $0 + $1.readBackBytes } }

  /// Admits a frame at the end of its lane, dropping the oldest GOPs of whatever lane to make room.
  mutating func append(_ frame: Frame, to lane: Lane, now: MonotonicTime) {
    // Frames that Capture dropped and counted have numbers too.
    let sequence = lanes[lane.index].nextSequence + (frame.gap?.frameCount ?? 0)
    lanes[lane.index].nextSequence = sequence + 1
    var frame = frame
    let target = route(&frame, lane.index, now: now)
    let entry = Entry(
      lane: Lane(index: target), sequence: sequence, frame: frame, arrival: now, arrivalOrder: arrivals)
    arrivals += 1
    let budget = byteBudget - readAhead
    // What could not be read back must not be written.
    let largest = readAhead > 0 ? readAhead : budget
    if frame.payload.byteCount > largestFrame || entry.byteCount > largest { return refuse(entry, .oversize) }
    while byteCount - readBackBytes + entry.byteCount > budget && skipReason(entry) == nil {
      if !releaseOldest(), !releaseFromFront(), !dropOldestGOP(for: entry) { return refuse(entry, .overload) }
    }
    if let reason = skipReason(entry) { return refuse(entry, reason) }
    push(entry, now: now)
  }

  /// Why the frame is dropped when the beginning of its GOP was; nil when it can be decoded.
  private func skipReason(_ entry: Entry) -> Gap.Reason? {
    entry.frame.isKeyframe ? nil : lanes[entry.lane.index].skipReason
  }

  private mutating func push(_ entry: Entry, now: MonotonicTime) {
    let index = entry.lane.index
    var entry = entry
    var gap = lanes[index].gap
    gap.append(entry.frame.gap)
    entry.frame.gap = gap
    (lanes[index].gap, lanes[index].skipReason) = (nil, nil)
    lanes[index].back.append(Slot(number: entry.number, entry: entry, state: .waiting, arrival: now))
    lanes[index].byteCount += entry.byteCount
    byteCount += entry.byteCount
    memoryWaitingCount += 1
  }

  /// The frame at the end of a lane is not admitted, and neither are those that need it.
  private mutating func refuse(_ entry: Entry, _ reason: Gap.Reason) {
    let index = entry.lane.index
    lanes[index].skipReason = reason
    lanes[index].gap.append(entry.frame.gap)
    lanes[index].gap.append(Gap(frameCount: 1, reason: reason))
    lanes[index].drops[reason, default: 0] += 1
  }

  /// Drops the oldest waiting frame that is not on disk and all that need it, of the lanes with more than their share if it
  /// can; false when there is none. `newcomer` counts as being there already.
  private mutating func dropOldestGOP(for newcomer: Entry) -> Bool {
    let candidates = lanes.indices.compactMap { lane in lanes[lane].firstDroppable.map { (lane: lane, frame: $0) } }
    let bytes = lanes.indices.map { lane in
      lanes[lane].byteCount - lanes[lane].readBackBytes + (lane == newcomer.lane.index ? newcomer.byteCount : 0)
    }
    let share = (byteBudget - readAhead) / max(1, bytes.count { $0 > 0 })
    let above = candidates.filter { bytes[$0.lane] > share }
    guard let oldest = (above.isEmpty ? candidates : above).min(by: { $0.frame.arrivalOrder < $1.frame.arrivalOrder })
    else { return false }
    drop(oldest.lane, at: oldest.frame.index, isInFront: oldest.frame.isInFront, .overload)
    return true
  }

  /// Drops a waiting frame and all that need it.
  mutating func drop(_ lane: Int, at index: Int, isInFront: Bool = false, _ reason: Gap.Reason) {
    let dropped = lanes[lane].dropGOP(at: index, isInFront: isInFront, reason)
    leave(lane, waiting: dropped.count, byteCount: dropped.byteCount)
  }

  /// Waiting frames of a lane have left the memory, to disk or for good.
  mutating func leave(_ lane: Int, waiting count: Int, byteCount: Int) {
    lanes[lane].byteCount -= byteCount
    self.byteCount -= byteCount
    memoryWaitingCount -= count
  }

  /// A frame has come back from disk.
  mutating func insertReadBack(_ slot: Slot, in lane: Int) {
    lanes[lane].byteCount += slot.entry?.byteCount ?? 0
    byteCount += slot.entry?.byteCount ?? 0
    memoryWaitingCount += 1
    lanes[lane].insertReadBack(slot)
  }

  /// Takes the oldest waiting frame of the lanes that are `open`; nil when there is none. It stays in the budget until
  /// `finish`.
  mutating func take(where open: (Entry) -> Bool) -> Entry? {
    var oldest: (order: HandOutOrder, lane: Int)?
    for index in lanes.indices {
      guard let head = lanes[index].head, let entry = head.entry else { continue }
      let order = HandOutOrder(head, entry)
      if let oldest, oldest.order <= order { continue }
      if isPlaced(index), open(entry) { oldest = (order, index) }
    }
    guard let index = oldest?.lane else { return nil }
    let position = lanes[index].frontWaiting
    lanes[index].takeHead()
    memoryWaitingCount -= 1
    let last = lanes[index].lastTakenTime
    lanes[index].front[position].entry?.precedingTime = last
    guard var entry = lanes[index].front[position].entry else { return nil }
    let time = FrameTime(entry.frame)
    if let last, let gap = entry.frame.gap, gap.frameCount == nil {
      entry.frame.gap?.duration = last.duration(to: time)
    }
    lanes[index].front[position].entry = entry
    lanes[index].lastTakenTime = time
    return entry
  }

  /// A taken frame is done with: acknowledged, or dropped after all for `reason`, which the next frame then tells; so
  /// no frame behind it may be taken at that time.
  mutating func finish(_ entry: Entry, at position: RecordPosition? = nil, dropped reason: Gap.Reason? = nil) {
    byteCount -= entry.byteCount
    let index = entry.lane.index
    lanes[index].byteCount -= entry.byteCount
    lanes[index].finish(entry.number, at: position)
    guard let reason else { return }
    lanes[index].drops[reason, default: 0] += 1
    lanes[index].lastTakenTime = entry.precedingTime
    var gap = entry.frame.gap
    gap.append(Gap(frameCount: 1, reason: reason))
    lanes[index].tellNext(gap)
  }

  /// Taken frames of one lane, in order, go back to where they were.
  mutating func putBack(_ entries: [Entry]) {
    guard let first = entries.first else { return }
    for entry in entries { lanes[first.lane.index].putBack(entry.number) }
    lanes[first.lane.index].lastTakenTime = first.precedingTime
    memoryWaitingCount += entries.count
  }

  /// Frames dropped so far in one lane.
  func drops(in lane: Lane) -> DropCounts { lanes[lane.index].drops }
}

/// Which of two lanes' frames leaves first: what comes from disk, by capture time; then the one that came first.
private struct HandOutOrder: Comparable {
  let captureTime: Int64
  let arrivalOrder: UInt64

  init(_ slot: Slot, _ entry: Entry) {
    (captureTime, arrivalOrder) = (slot.isReadBack ? entry.frame.captureTime : .max, entry.arrivalOrder)
  }

  static func < (left: HandOutOrder, right: HandOutOrder) -> Bool {
    (left.captureTime, left.arrivalOrder) < (right.captureTime, right.arrivalOrder)
  }
}
