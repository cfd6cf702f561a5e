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
    /// Why the beginning of a GOP was dropped whose rest is dropped too; nil while frames are admitted.
    var skipReason: Gap.Reason?
    /// What is missing before the next frame that is appended; set only while `waiting` is empty or skipping.
    var gap: Gap?
    /// Capture time of the frame that was handed out last, nanoseconds since 1970.
    var lastTakenTime: FrameTime?
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
    if frame.payload.byteCount > largestFrame || entry.byteCount > byteBudget { return refuse(entry, .oversize) }
    while byteCount + entry.byteCount > byteBudget && skipReason(entry) == nil {
      if !dropOldestGOP() { return refuse(entry, .overload) }
    }
    if let reason = skipReason(entry) { return refuse(entry, reason) }
    push(entry)
  }

  /// Why the frame is dropped when the beginning of its GOP was; nil when it can be decoded.
  private func skipReason(_ entry: Entry) -> Gap.Reason? {
    entry.frame.isKeyframe ? nil : lanes[entry.lane.index].skipReason
  }

  private mutating func push(_ entry: Entry) {
    let index = entry.lane.index
    var entry = entry
    var gap = lanes[index].gap
    gap.append(entry.frame.gap)
    entry.frame.gap = gap
    (lanes[index].gap, lanes[index].skipReason) = (nil, nil)
    lanes[index].waiting.append(entry)
    byteCount += entry.byteCount
    waitingCount += 1
  }

  /// The frame at the end of a lane is not admitted, and neither are those that need it.
  private mutating func refuse(_ entry: Entry, _ reason: Gap.Reason) {
    let index = entry.lane.index
    lanes[index].skipReason = reason
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
    var end = 0
    var gap: Gap?
    repeat {
      let entry = lanes[index].waiting[end]
      gap.append(entry.frame.gap)
      gap.append(Gap(frameCount: 1, reason: .overload))
      byteCount -= entry.byteCount
      end += 1
    } while end < lanes[index].waiting.count && !lanes[index].waiting[end].frame.isKeyframe
    waitingCount -= end
    lanes[index].waiting.removeFirst(end)
    lanes[index].drops[.overload, default: 0] += UInt64(end)
    if lanes[index].waiting.isEmpty {
      gap.append(lanes[index].gap)
      (lanes[index].gap, lanes[index].skipReason) = (gap, .overload)
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
    for index in lanes.indices {
      guard let head = lanes[index].waiting.first, head.arrivalOrder < oldest?.arrivalOrder ?? .max, open(head) else {
        continue
      }
      oldest = head
    }
    guard var entry = oldest else { return nil }
    let index = entry.lane.index
    lanes[index].waiting.removeFirst(1)
    waitingCount -= 1
    entry.precedingTime = lanes[index].lastTakenTime
    let time = FrameTime(entry.frame)
    if let last = entry.precedingTime, let gap = entry.frame.gap, gap.frameCount == nil {
      entry.frame.gap?.duration = last.duration(to: time)
    }
    lanes[index].lastTakenTime = time
    return entry
  }

  /// A taken frame is done with: acknowledged, or dropped after all for `reason`, which the next frame then tells; so
  /// no frame behind it may be taken at that time.
  mutating func finish(_ entry: Entry, dropped reason: Gap.Reason? = nil) {
    byteCount -= entry.byteCount
    guard let reason else { return }
    let index = entry.lane.index
    lanes[index].drops[reason, default: 0] += 1
    lanes[index].lastTakenTime = entry.precedingTime
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
    guard let first = entries.first else { return }
    lanes[first.lane.index].waiting.prepend(entries)
    lanes[first.lane.index].lastTakenTime = first.precedingTime
    waitingCount += entries.count
  }

  /// Frames dropped so far in one lane.
  func drops(in lane: Lane) -> DropCounts { lanes[lane.index].drops }
}
