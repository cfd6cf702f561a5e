import DiskRing
import Frames
import Posix

// One lane of the queue, as a value. From the oldest frame to the newest:
//
//   front    in memory: taken by the forwarder, put back by it, or read back from disk for it
//   span     on disk only
//   back     in memory and never taken; its first frames may be on disk as well
//
// A lane that leaves the disk alone has no span, and then back follows front.

/// A frame of a lane, or what is left of one.
struct Slot {
  enum State {
    case waiting
    case taken
    /// Finished, and nobody may know of it before all in front of it are.
    case done
  }

  let number: FrameNumber
  /// nil once it is done.
  var entry: Entry?
  var state: State
  /// Where it lies on disk; nil while it does not.
  var place: DiskPlace?
  /// It came back from disk.
  var isReadBack = false
  /// When it came from its camera.
  let arrival: MonotonicTime
  /// What it tells and its copy on disk does not: it became known after that was written.
  var lateGap: Gap?
  /// Where it lies in Kafka, if it does.
  var position: RecordPosition?

  /// It tells what is missing in front of it; `isWritten`: its copy on disk does not.
  mutating func tell(_ gap: Gap?, isWritten: Bool) {
    guard gap != nil else { return }
    var (whole, late) = (gap, gap)
    if isWritten {
      late.append(lateGap)
      lateGap = late
    }
    whole.append(entry?.frame.gap)
    entry?.frame.gap = whole
  }

  /// What its copy on disk tells, as far as that can be known.
  var storedGap: Gap? {
    guard let lateGap, var stored = entry?.frame.gap else { return entry?.frame.gap }
    guard let count = stored.frameCount, let late = lateGap.frameCount, count >= late else {
      return Gap(frameCount: nil, reason: stored.reason)
    }
    stored.frameCount = count - late
    return stored
  }
}

/// Where a frame lies on disk, and what has to be synced before it stays there.
struct DiskPlace: Equatable {
  var mark: Mark
  var ticket: Ticket
}

/// The frames that are on disk only, by the ring's count of them.
struct DiskSpan: Equatable {
  /// Behind this one.
  var after: Mark
  /// Up to and with this one.
  var through: Mark
  /// Nothing is missing between this frame and what the first one tells.
  var soundThrough: RecordKey

  init(after: Mark, through: Mark, soundThrough: RecordKey? = nil) {
    (self.after, self.through, self.soundThrough) = (after, through, soundThrough ?? after.key)
  }

  /// A record alone, whose frame tells `gap`.
  init(_ mark: Mark, tells gap: Gap?) {
    (after, through) = (mark.predecessor, mark)
    let missing = gap.map { $0.frameCount ?? .max } ?? 0
    // Of what nobody can count nobody knows where it began.
    soundThrough = missing > after.key.sequence ? .zero : after.key
    if missing <= after.key.sequence { soundThrough.sequence -= missing }
  }

  var count: Int { Int(through.ordinal - min(after.ordinal, through.ordinal)) }
}

/// Up to where a lane is finished.
struct Watermark: Equatable {
  var number: FrameNumber
  /// Its place on disk; nil when it never was there.
  var mark: Mark?
  /// Where in Kafka the newest frame at or below it lies; nil while unknown.
  var position: RecordPosition?
}

struct LaneQueue {
  var front = FIFO<Slot>()
  var span: DiskSpan?
  var back = FIFO<Slot>()
  var nextSequence: UInt64 = 1
  /// Why the beginning of a GOP was dropped whose rest is dropped too; nil while frames are admitted.
  var skipReason: Gap.Reason?
  /// What is missing before the next frame that is appended.
  var gap: Gap?
  /// What is missing right behind `front`.
  var gapBehindFront: Gap?
  /// What comes behind `front` cannot be decoded before the next keyframe, because of a loss for this reason.
  var needsKeyframe: Gap.Reason?
  /// The time of the frame that was handed out last.
  var lastTakenTime: FrameTime?
  var drops: DropCounts = [:]
  /// The newest frame that is on disk or need not be any more; those of `back` behind it are in memory only.
  var writtenThrough: FrameNumber?
  /// The newest frame that is being written just now.
  var writingThrough: FrameNumber?
  var watermark: Watermark?
  var position = LanePosition()
  /// Live-first: the lane that takes this one's frames while this one is behind.
  var backfillLane: Int?
  /// Another lane's frames are numbered with this one's.
  var sharesNumbers = false
  /// Whoever sends will take nothing of it for now.
  var isHeld = false
  /// Frames go there at the moment.
  var isDiverted = false
  /// Bytes of its frames in memory that are not finished.
  var byteCount = 0
  /// When it was read from disk last, in turns.
  var lastReadTurn: UInt64 = 0
  /// Bytes of its frames that are taken, without those that came back from disk.
  var takenBytes = 0
  /// Bytes of frames in `front` that came back from disk.
  var readBackBytes = 0
  /// Where the first waiting frame of `front` is; its count when none waits.
  private(set) var frontWaiting = 0

  /// The frame that leaves next; nil when none can just now.
  var head: Slot? {
    if frontWaiting < front.count { return front[frontWaiting] }
    return span == nil ? back.first : nil
  }

  /// Marks `head`, which there is, as taken.
  mutating func takeHead() {
    if frontWaiting == front.count, var slot = back.first {
      back.removeFirst(1)
      slot.tell(gapBehindFront, isWritten: isWritten(slot.number))
      gapBehindFront = nil
      front.append(slot)
    }
    front[frontWaiting].state = .taken
    if !front[frontWaiting].isReadBack { takenBytes += front[frontWaiting].entry?.byteCount ?? 0 }
    advanceFrontWaiting()
  }

  private mutating func advanceFrontWaiting() {
    while frontWaiting < front.count, front[frontWaiting].state != .waiting { frontWaiting += 1 }
  }

  /// Where in `front` the frame is; nil when it has left.
  func frontIndex(of number: FrameNumber) -> Int? {
    let index = LaneQueue.firstIndex(in: front, behind: number) - 1
    return index >= 0 && front[index].number == number ? index : nil
  }

  /// The first slot with a greater number.
  static func firstIndex(in slots: borrowing FIFO<Slot>, behind number: FrameNumber?) -> Int {
    guard let number else { return 0 }
    var (low, high) = (0, slots.count)
    while low < high {
      let middle = (low + high) / 2
      if slots[middle].number <= number { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// A frame of `front` is finished; those in front of which all are leave for good.
  mutating func finish(_ number: FrameNumber, at position: RecordPosition?) {
    guard let index = frontIndex(of: number), let entry = front[index].entry else { return }
    if front[index].isReadBack { readBackBytes -= entry.byteCount } else { takenBytes -= entry.byteCount }
    (front[index].state, front[index].entry, front[index].position) = (.done, nil, position)
    passDone()
    advanceFrontWaiting()
  }

  private mutating func passDone() {
    var count = 0
    while count < front.count, front[count].state == .done {
      let slot = front[count]
      watermark = Watermark(
        number: slot.number, mark: slot.place?.mark, position: slot.position ?? watermark?.position)
      count += 1
    }
    front.removeFirst(count)
    frontWaiting = max(0, frontWaiting - count)
  }

  /// Frames between `front` and what follows are gone: everything up to this one is finished once `front` is.
  mutating func passOver(_ number: FrameNumber, _ mark: Mark?) {
    let place = mark.map { DiskPlace(mark: $0, ticket: 0) }
    front.append(Slot(number: number, entry: nil, state: .done, place: place, arrival: .init(nanoseconds: 0)))
    passDone()
    advanceFrontWaiting()
  }

  mutating func putBack(_ number: FrameNumber) {
    guard let index = frontIndex(of: number) else { return }
    if !front[index].isReadBack { takenBytes -= front[index].entry?.byteCount ?? 0 }
    front[index].state = .waiting
    frontWaiting = min(frontWaiting, index)
  }

  /// The next frame that is handed out tells this hole, which lies right in front of it.
  mutating func tellNext(_ gap: Gap?) {
    var gap = gap
    if frontWaiting < front.count {
      front[frontWaiting].tell(gap, isWritten: isWritten(front[frontWaiting].number))
    } else {
      gap.append(gapBehindFront)
      gapBehindFront = gap
    }
  }

  /// Adds a frame that was read back behind all of `front`.
  mutating func insertReadBack(_ slot: Slot) {
    front.append(slot)
    readBackBytes += slot.entry?.byteCount ?? 0
    advanceFrontWaiting()
  }

  /// Whether a frame is on disk or on its way there.
  private func isWritten(_ number: FrameNumber) -> Bool {
    number <= max(writtenThrough ?? .beforeAll, writingThrough ?? .beforeAll)
  }

  /// How many frames leave memory from the end of `front` when one does that did not come back from disk; nil when none
  /// can.
  func releasableCount(_ durable: Ticket) -> Int? {
    guard gapBehindFront == nil, needsKeyframe == nil else { return nil }
    for index in stride(from: front.count - 1, through: 0, by: -1) {
      let slot = front[index]
      guard slot.state == .waiting, let place = slot.place, place.ticket <= durable else { return nil }
      if !slot.isReadBack { return front.count - index }
      if slot.lateGap != nil { return nil }
    }
    return nil
  }

  /// The last frame of `front` leaves memory and stays on disk, if it is safe there and nobody has it: what comes behind it
  /// is on disk only, too, or comes after that. nil when there is none, or when what is missing behind it could not be told
  /// any more.
  mutating func releaseLastOfFront(_ durable: Ticket) -> Slot? {
    guard gapBehindFront == nil, needsKeyframe == nil, front.count > 0 else { return nil }
    let slot = front[front.count - 1]
    guard slot.state == .waiting, let place = slot.place, place.ticket <= durable else { return nil }
    front.removeLast()
    if slot.isReadBack { readBackBytes -= slot.entry?.byteCount ?? 0 }
    var released = DiskSpan(place.mark, tells: slot.storedGap)
    if let span { released.through = span.through }
    (span, gapBehindFront) = (released, slot.lateGap)
    return slot
  }

  // MARK: Dropping

  /// Whether the frame at `index` of `back` is left out where only keyframes are kept: of those, ones that are whole only
  /// later are kept while there is no other.
  func isThinned(at index: Int) -> Bool {
    guard let frame = back[index].entry?.frame, !frame.isWholeKeyframe else { return false }
    return !frame.isKeyframe || (index..<back.count).contains { back[$0].entry?.frame.isWholeKeyframe == true }
  }

  /// What was dropped.
  struct Dropped {
    var count = 0
    var byteCount = 0
  }

  /// The first frame that nobody has and that is not on disk either, nor on its way there.
  var firstDroppable: (index: Int, isInFront: Bool, arrivalOrder: UInt64)? {
    let protected = max(writtenThrough ?? .beforeAll, writingThrough ?? .beforeAll)
    var index = max(LaneQueue.firstIndex(in: front, behind: protected), frontWaiting)
    while index < front.count {
      if front[index].state == .waiting, let entry = front[index].entry { return (index, true, entry.arrivalOrder) }
      index += 1
    }
    index = LaneQueue.firstIndex(in: back, behind: protected)
    guard index < back.count, let entry = back[index].entry else { return nil }
    return (index, false, entry.arrivalOrder)
  }

  /// Drops the frame there and all behind it that need it; the next frame tells it.
  mutating func dropGOP(at index: Int, isInFront: Bool, _ reason: Gap.Reason) -> Dropped {
    var run = DropRun(reason: reason)
    defer { drops[reason, default: 0] += UInt64(run.dropped.count) }
    if isInFront {
      run.drop(from: &front, at: index)
      advanceFrontWaiting()
      if let next = (index..<front.count).first(where: { front[$0].entry != nil }) {
        let gap = run.gap(before: front[next])
        front[next].entry?.frame.gap = gap
        return run.dropped
      }
      run.gap.append(gapBehindFront)
      (gapBehindFront, run.gap) = (run.gap, nil)
      if span != nil {
        needsKeyframe = reason
        return run.dropped
      }
    }
    let start = isInFront ? 0 : index
    run.drop(from: &back, at: start)
    if start == 0 && span == nil {
      gapBehindFront.append(run.gap)
    } else if start < back.count {
      let gap = run.gap(before: back[start])
      back[start].entry?.frame.gap = gap
    } else {
      run.gap.append(gap)
      gap = run.gap
    }
    if start >= back.count { skipReason = reason }
    return run.dropped
  }
}

/// A run of frames that is dropped: one, and those behind it up to the next keyframe.
private struct DropRun {
  let reason: Gap.Reason
  var dropped = LaneQueue.Dropped()
  var gap: Gap?

  init(reason: Gap.Reason) { self.reason = reason }

  mutating func drop(from slots: inout FIFO<Slot>, at start: Int) {
    var end = start
    while end < slots.count, let entry = slots[end].entry, dropped.count == 0 || !isBeginning(slots, end) {
      gap.append(entry.frame.gap)
      gap.append(Gap(frameCount: 1, reason: reason))
      dropped.count += 1
      dropped.byteCount += entry.byteCount
      end += 1
    }
    slots.remove(start..<end)
  }

  /// Whether decoding had better begin there: at a keyframe, unless one that is whole at once comes before it is whole.
  private func isBeginning(_ slots: borrowing FIFO<Slot>, _ index: Int) -> Bool {
    guard let frame = slots[index].entry?.frame, frame.isKeyframe else { return false }
    var next = index + 1
    while next < min(slots.count, index + 1 + frame.recovery) {
      if slots[next].entry?.frame.isWholeKeyframe == true { return false }
      next += 1
    }
    return true
  }

  func gap(before slot: Slot) -> Gap? {
    var gap = gap
    gap.append(slot.entry?.frame.gap)
    return gap
  }
}

extension FrameNumber {
  /// Before every frame.
  static let beforeAll = FrameNumber(epoch: 0, sequence: 0)
}
