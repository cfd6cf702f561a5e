import Frames

// The bounded memory of the backlog, as a value without threads. Invariants: the bytes of all frames that are not
// finished never exceed the budget; a lane hands out its frames in order; frames are dropped in whole GOPs, oldest
// first, so that a consumer never meets a frame it cannot decode; every dropped frame is counted and announced by the
// `gap` of the next frame of its lane.

/// Frames that wait, and frames that were taken and are not finished yet.
struct MemoryQueue {
  private struct LaneState {
    var waiting = FIFO<Entry>()
    var nextSequence: UInt64 = 1
    /// The rest of a GOP whose beginning was dropped is dropped too.
    var isSkippingToKeyframe = false
    /// What is missing before the next frame that is appended; set only while `waiting` is empty or skipping.
    var gap: Gap?
    /// Capture time of the frame that was handed out last, nanoseconds since 1970.
    var lastTakenTime: Int64?
    var drops: DropCounts = [:]
  }

  private let byteBudget: Int
  private let largestFrame: Int
  private var lanes: [LaneState]
  private var arrivals: UInt64 = 0

  /// Bytes of all entries that are not finished, waiting or taken.
  private(set) var byteCount = 0
  /// Frames waiting to be taken.
  private(set) var waitingCount = 0

  /// `largestFrame`: a frame with more bytes than this can never be delivered and is dropped as oversize.
  init(laneCount: Int, byteBudget: Int, largestFrame: Int) {
    lanes = Array(repeating: LaneState(), count: laneCount)
    (self.byteBudget, self.largestFrame) = (byteBudget, largestFrame)
  }

  /// Admits a frame at the end of its lane, dropping the oldest GOPs of whatever lane to make room.
  mutating func append(_ frame: Frame, to lane: Lane) {
    // Frames that Capture dropped and counted have numbers too.
    let sequence = lanes[lane.index].nextSequence + (frame.gap?.frameCount ?? 0)
    lanes[lane.index].nextSequence = sequence + 1
    let entry = Entry(lane: lane, sequence: sequence, frame: frame, arrivalOrder: arrivals)
    arrivals += 1
    if frame.payload.byteCount > largestFrame { return refuse(entry, .oversize) }
    while byteCount + entry.byteCount > byteBudget && !needsDropped(entry) {
      if !dropOldestGOP() { return refuse(entry, .overload) }
    }
    if needsDropped(entry) { return refuse(entry, lanes[lane.index].gap?.reason ?? .overload) }
    push(entry)
  }

  /// Whether the frame belongs to a GOP whose beginning was dropped.
  private func needsDropped(_ entry: Entry) -> Bool {
    lanes[entry.lane.index].isSkippingToKeyframe && !entry.frame.isKeyframe
  }

  private mutating func push(_ entry: Entry) {
    let index = entry.lane.index
    var entry = entry
    var gap = lanes[index].gap
    gap.append(entry.frame.gap)
    entry.frame.gap = gap
    (lanes[index].gap, lanes[index].isSkippingToKeyframe) = (nil, false)
    lanes[index].waiting.append(entry)
    byteCount += entry.byteCount
    waitingCount += 1
  }

  /// The frame at the end of a lane is not admitted, and neither are those that need it.
  private mutating func refuse(_ entry: Entry, _ reason: Gap.Reason) {
    let index = entry.lane.index
    lanes[index].isSkippingToKeyframe = true
    lanes[index].gap.append(entry.frame.gap)
    lanes[index].gap.append(Gap(frameCount: 1, reason: reason))
    lanes[index].drops[reason, default: 0] += 1
  }

  /// Drops the oldest waiting frame and all that need it; false when nothing waits.
  private mutating func dropOldestGOP() -> Bool {
    let heads = lanes.indices.compactMap { index in
      lanes[index].waiting.first.map { (order: $0.arrivalOrder, index: index) }
    }
    guard let index = heads.min(by: { $0.order < $1.order })?.index else { return false }
    let waiting = lanes[index].waiting
    var end = 1
    while end < waiting.count && !waiting[end].frame.isKeyframe { end += 1 }
    var gap: Gap?
    for position in 0..<end {
      gap.append(waiting[position].frame.gap)
      gap.append(Gap(frameCount: 1, reason: .overload))
      byteCount -= waiting[position].byteCount
    }
    waitingCount -= end
    lanes[index].waiting.removeFirst(end)
    lanes[index].drops[.overload, default: 0] += UInt64(end)
    if lanes[index].waiting.isEmpty {
      gap.append(lanes[index].gap)
      (lanes[index].gap, lanes[index].isSkippingToKeyframe) = (gap, true)
    } else {
      gap.append(lanes[index].waiting[0].frame.gap)
      lanes[index].waiting[0].frame.gap = gap
    }
    return true
  }

  /// Takes the oldest waiting frame of the lanes that are `open`; nil when there is none. It stays in the budget until
  /// `finish`.
  mutating func take(where open: (Entry) -> Bool) -> Entry? {
    var oldest: Entry?
    for lane in lanes {
      guard let head = lane.waiting.first, head.arrivalOrder < oldest?.arrivalOrder ?? .max, open(head) else {
        continue
      }
      oldest = head
    }
    guard var entry = oldest else { return nil }
    let index = entry.lane.index
    lanes[index].waiting.removeFirst(1)
    waitingCount -= 1
    if let last = lanes[index].lastTakenTime, entry.frame.gap?.frameCount == .some(nil),
      entry.frame.gap?.duration == nil
    {
      entry.frame.gap?.duration = entry.frame.captureTime - last
    }
    lanes[index].lastTakenTime = entry.frame.captureTime
    return entry
  }

  /// A taken frame is done with: acknowledged, or dropped after all for `reason`, which the next frame then tells.
  mutating func finish(_ entry: Entry, dropped reason: Gap.Reason? = nil) {
    byteCount -= entry.byteCount
    guard let reason else { return }
    let index = entry.lane.index
    lanes[index].drops[reason, default: 0] += 1
    var gap = entry.frame.gap
    gap.append(Gap(frameCount: 1, reason: reason))
    if lanes[index].waiting.isEmpty {
      gap.append(lanes[index].gap)
      lanes[index].gap = gap
    } else {
      gap.append(lanes[index].waiting[0].frame.gap)
      lanes[index].waiting[0].frame.gap = gap
    }
  }

  /// Taken frames of one lane, in order, go back to where they were.
  mutating func putBack(_ entries: [Entry]) {
    guard let lane = entries.first?.lane else { return }
    lanes[lane.index].waiting.prepend(entries)
    waitingCount += entries.count
  }

  /// Frames dropped so far in one lane.
  func drops(in lane: Lane) -> DropCounts { lanes[lane.index].drops }
}
