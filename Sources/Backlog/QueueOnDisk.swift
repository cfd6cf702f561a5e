import DiskRing
import Frames
import Posix

// What goes between the queue and the disk: what to write next, what may leave memory, what to read back.

/// A frame that was written.
struct Written {
  var lane: Int
  var number: FrameNumber
  /// nil when the disk cannot take it, ever.
  var place: DiskPlace?
  /// It is larger than a segment.
  var isOversize = false
}

/// A lane that wants its next frames from disk.
struct ReadWish {
  var lane: Int
  var span: DiskSpan
  var needsKeyframe: Gap.Reason?
  /// How many bytes of the lane may be read.
  var byteLimit: Int
  /// One frame may be read even if it has more than that.
  var isDry: Bool
  /// How many bytes there is room for, all lanes together.
  var room = 0
  /// Numbers say nothing about what is missing: another lane has some of them.
  var sharesNumbers = false
}

/// What reading a lane's span gave, in order.
enum ReadBack {
  /// A frame, and what is missing in front of it.
  case frame(Frame, mark: Mark, hole: Hole?)
  /// The disk has no more of the span, up to here; and what is missing at its end.
  case end(Mark, hole: Hole?)
}

/// Frames of a span that are lost.
struct Hole {
  /// What is told of them: by their numbers, because what had been dropped between them was told by one that is lost.
  var gap: Gap
  /// How many the disk has lost, by reason.
  var drops: DropCounts
}

extension MemoryQueue {
  /// What earlier runs have left on disk, lane by lane. Before anything is taken: else a new frame would overtake it.
  mutating func restore(_ inventories: [StreamInventory], lanes descriptions: [StreamDescription], epoch: UInt64) {
    presentEpoch = epoch
    for inventory in inventories {
      guard let lane = descriptions.firstIndex(of: inventory.description) else { continue }
      let span = DiskSpan(after: inventory.cursor.finished, through: inventory.last)
      guard span.through.key > span.after.key else { continue }
      lanes[lane].span = span
      lanes[lane].writtenThrough = number(span.through.key)
    }
  }

  /// Frames of the run before this one may be missing; nobody can say how many.
  mutating func announceRestart() {
    for lane in lanes.indices { lanes[lane].gap.append(Gap(frameCount: nil, reason: .restart)) }
  }

  // MARK: Writing

  /// The oldest frames that are not on disk, in order, up to a limit; they stay until `written` is told of them. With
  /// `onlyKeyframes` all others that wait are dropped.
  mutating func nextToWrite(byteLimit: Int, onlyKeyframes: Bool) -> [Entry] {
    var (entries, byteCount) = ([Entry](), 0)
    while byteCount < byteLimit, entries.count < 256 {
      let candidates = lanes.indices.compactMap { lane in
        nextToWrite(in: lane, onlyKeyframes: onlyKeyframes).map { (lane: lane, entry: $0) }
      }
      guard let oldest = candidates.min(by: { $0.entry.arrivalOrder < $1.entry.arrivalOrder }) else { break }
      lanes[oldest.lane].writingThrough = oldest.entry.number
      entries.append(oldest.entry)
      byteCount += oldest.entry.byteCount
    }
    return entries
  }

  private mutating func nextToWrite(in lane: Int, onlyKeyframes: Bool) -> Entry? {
    let last = max(lanes[lane].writtenThrough ?? .beforeAll, lanes[lane].writingThrough ?? .beforeAll)
    var index = LaneQueue.firstIndex(in: lanes[lane].front, behind: last)
    while index < lanes[lane].front.count {
      if let entry = lanes[lane].front[index].entry {
        lanes[lane].front[index].lateGap = nil
        return entry
      }
      index += 1
    }
    index = LaneQueue.firstIndex(in: lanes[lane].back, behind: last)
    while onlyKeyframes, index < lanes[lane].back.count, lanes[lane].isThinned(at: index) {
      drop(lane, at: index, .thinned)
    }
    guard index < lanes[lane].back.count else { return nil }
    if index == 0 { lanes[lane].tellOnDisk() }
    lanes[lane].back[index].lateGap = nil
    return lanes[lane].back[index].entry
  }

  /// Frames were written. What was handed out by `nextToWrite` and is not among them was not, and comes again.
  mutating func written(_ records: [Written]) {
    for record in records {
      lanes[record.lane].writtenThrough = record.number
      if let place = record.place {
        unsynced.append((place.ticket, lanes[record.lane].setPlace(place, of: record.number)))
        unsyncedBytes += unsynced[unsynced.count - 1].byteCount
      } else if record.isOversize {
        let index = LaneQueue.firstIndex(in: lanes[record.lane].back, behind: record.number) - 1
        if index >= 0, lanes[record.lane].back[index].number == record.number {
          drop(record.lane, at: index, .oversize)
        }
      }
    }
    for lane in lanes.indices { lanes[lane].writingThrough = nil }
  }

  /// What was written behind this ticket is not on disk after all.
  mutating func unwrite(after ticket: Ticket) {
    for lane in lanes.indices { lanes[lane].unwrite(after: ticket) }
    let kept = (0..<unsynced.count).map { unsynced[$0] }.filter { $0.ticket <= ticket }
    (unsynced, unsyncedBytes) = (FIFO(), 0)
    for record in kept {
      unsynced.append(record)
      unsyncedBytes += record.byteCount
    }
  }

  /// All records with tickets up to here survive a crash.
  mutating func synced(through ticket: Ticket) {
    durableTicket = ticket
    while let record = unsynced.first, record.ticket <= ticket {
      unsyncedBytes -= record.byteCount
      unsynced.removeFirst(1)
    }
  }

  /// Whether the next sync is due for the sake of memory: half of what it has for frames that nobody has taken waits for
  /// it. While it lasts the other half takes what is new; when that is too little the disk is slower than the cameras.
  var needsSync: Bool {
    let budget = byteBudget - readAhead
    guard unsyncedBytes > 0, byteCount - readBackBytes > budget / 2 else { return false }
    return unsyncedBytes >= (budget - lanes.reduce(0) { $0 + $1.takenBytes }) / 2
  }

  /// The oldest frame that is safe on disk leaves memory; false when there is none.
  mutating func releaseOldest() -> Bool {
    var oldest: (order: UInt64, lane: Int)?
    for lane in lanes.indices {
      guard let slot = lanes[lane].back.first, let place = slot.place, place.ticket <= durableTicket,
        let entry = slot.entry, entry.arrivalOrder < oldest?.order ?? .max
      else { continue }
      oldest = (entry.arrivalOrder, lane)
    }
    guard let lane = oldest?.lane, let slot = lanes[lane].back.first, let mark = slot.place?.mark else { return false }
    lanes[lane].back.removeFirst(1)
    if lanes[lane].span == nil { lanes[lane].span = DiskSpan(mark, tells: slot.entry?.frame.gap) }
    lanes[lane].span?.through = mark
    leave(lane, waiting: 1, byteCount: slot.entry?.byteCount ?? 0)
    return true
  }

  /// A frame that was put back and is safe on disk leaves memory, and with it those behind it; of the lanes that have one,
  /// one that is held, then the one with the most in memory. False when there is none.
  mutating func releaseFromFront() -> Bool {
    let candidates = lanes.indices.compactMap { lane in
      lanes[lane].releasableCount(durableTicket).map { (lane: lane, count: $0) }
    }
    let held = candidates.filter { lanes[$0.lane].isHeld }
    guard
      let chosen = (held.isEmpty ? candidates : held).max(by: { lanes[$0.lane].byteCount < lanes[$1.lane].byteCount })
    else { return false }
    for _ in 0..<chosen.count {
      guard let slot = lanes[chosen.lane].releaseLastOfFront(durableTicket) else { break }
      leave(chosen.lane, waiting: 1, byteCount: slot.entry?.byteCount ?? 0)
    }
    return true
  }

  // MARK: Reading

  /// Says of each lane whether nothing of it will be taken for now. Such a lane, and one whose place in Kafka is not known
  /// yet, keeps no read-ahead: what is on disk is released and read again. Returns whether anything has changed.
  mutating func hold(_ held: [Bool]) -> Bool {
    var hasChanged = false
    for (lane, isHeld) in held.enumerated() {
      hasChanged = hasChanged || lanes[lane].isHeld != isHeld
      lanes[lane].isHeld = isHeld
      guard isHeld || !isPlaced(lane) else { continue }
      while lanes[lane].readBackBytes > 0, let slot = lanes[lane].releaseLastOfFront(durableTicket) {
        leave(lane, waiting: 1, byteCount: slot.entry?.byteCount ?? 0)
        hasChanged = true
      }
    }
    return hasChanged
  }

  /// Whether a lane has frames on disk that could be sent.
  private func mayRead(_ lane: Int) -> Bool { lanes[lane].span != nil && !lanes[lane].isHeld && isPlaced(lane) }

  /// The lanes that want frames from disk, those with the fewest first, and of those that have none the one whose turn is
  /// longest ago.
  var readWishes: [ReadWish] {
    let readers = lanes.indices.filter { mayRead($0) }
    let share = readAhead / max(1, readers.count)
    let room = readAhead - readBackBytes
    return readers.compactMap { lane -> ReadWish? in
      guard let span = lanes[lane].span else { return nil }
      let (has, isDry) = (lanes[lane].readBackBytes, lanes[lane].readBackBytes == 0)
      guard isDry || has < share / 2, room > 0 else { return nil }
      return ReadWish(
        lane: lane, span: span, needsKeyframe: lanes[lane].needsKeyframe, byteLimit: share - has, isDry: isDry,
        room: room, sharesNumbers: lanes[lane].sharesNumbers)
    }.sorted { left, right in
      (lanes[left.lane].readBackBytes, lanes[left.lane].lastReadTurn)
        < (lanes[right.lane].readBackBytes, lanes[right.lane].lastReadTurn)
    }
  }

  /// What came from disk for one lane.
  mutating func readBack(_ items: [ReadBack], for wish: ReadWish) {
    let lane = wish.lane
    // What was in front of it has meanwhile gone back to disk, and comes first.
    guard lanes[lane].span?.after == wish.span.after else { return }
    readTurns += 1
    if !items.isEmpty { lanes[lane].lastReadTurn = readTurns }
    for item in items {
      switch item {
      case .frame(var frame, let mark, let hole):
        note(hole, in: lane)
        let lateGap = lanes[lane].gapBehindFront
        var gap = lateGap
        gap.append(frame.gap)
        frame.gap = gap
        (lanes[lane].gapBehindFront, lanes[lane].needsKeyframe) = (nil, nil)
        let number = number(mark.key)
        let entry = Entry(
          lane: Lane(index: lane), sequence: number.sequence, epoch: number.epoch, frame: frame, arrivalOrder: 0)
        insertReadBack(
          Slot(
            number: number, entry: entry, state: .waiting, place: DiskPlace(mark: mark, ticket: 0),
            isReadBack: true, arrival: MonotonicTime(nanoseconds: 0), lateGap: lateGap), in: lane)
        advance(lane, to: mark)
      case .end(let mark, let hole):
        note(hole, in: lane)
        if let hole {
          lanes[lane].needsKeyframe = hole.gap.reason
          // Else the next frame that is finished finishes it, and until then the disk may tell it again.
          if lanes[lane].back.isEmpty { lanes[lane].passOver(number(mark.key), mark) }
        }
        advance(lane, to: mark)
      }
    }
    if lanes[lane].span == nil { beginAtKeyframe(lane) }
  }

  private mutating func note(_ hole: Hole?, in lane: Int) {
    guard let hole else { return }
    lanes[lane].gapBehindFront.append(hole.gap)
    for (reason, count) in hole.drops { lanes[lane].drops[reason, default: 0] += count }
  }

  /// The frame that the ring calls so.
  private func number(_ key: RecordKey) -> FrameNumber {
    FrameNumber(epoch: key.epoch == presentEpoch ? nil : key.epoch, sequence: key.sequence)
  }

  private mutating func advance(_ lane: Int, to mark: Mark) {
    guard let span = lanes[lane].span else { return }
    lanes[lane].span = mark.key >= span.through.key ? nil : DiskSpan(after: mark, through: span.through)
  }

  /// Behind a span whose end is missing, memory must go on with a keyframe.
  private mutating func beginAtKeyframe(_ lane: Int) {
    guard let reason = lanes[lane].needsKeyframe else { return }
    lanes[lane].needsKeyframe = nil
    guard let first = lanes[lane].back.first else { return lanes[lane].skipReason = reason }
    if first.entry?.frame.isKeyframe == true { return }
    var passed = first
    for index in 0..<lanes[lane].back.count {
      if lanes[lane].back[index].entry?.frame.isKeyframe == true { break }
      passed = lanes[lane].back[index]
    }
    drop(lane, at: 0, reason)
    if lanes[lane].back.isEmpty { lanes[lane].passOver(passed.number, passed.place?.mark) }
  }

  /// Whether there is a lane that wants frames from disk.
  var wantsRead: Bool {
    let count = lanes.indices.count { mayRead($0) }
    guard count > 0, readBackBytes < readAhead else { return false }
    return lanes.indices.contains { mayRead($0) && lanes[$0].readBackBytes <= readAhead / count / 2 }
  }
}

extension LaneQueue {
  /// What is missing in front of the first frame of `back` is told by it, so it must be on disk with it.
  mutating func tellOnDisk() {
    guard span == nil, var gap = gapBehindFront, let frame = back.first?.entry?.frame else { return }
    if let later = frame.gap { gap = gap.followed(by: later) }
    back[0].entry?.frame.gap = gap
    gapBehindFront = nil
  }

  /// Notes where a frame lies; returns its bytes, 0 when it has left memory.
  mutating func setPlace(_ place: DiskPlace, of number: FrameNumber) -> Int {
    if let index = frontIndex(of: number) {
      front[index].place = place
      return front[index].entry?.byteCount ?? 0
    }
    let index = LaneQueue.firstIndex(in: back, behind: number) - 1
    guard index >= 0, back[index].number == number else { return 0 }
    back[index].place = place
    return back[index].entry?.byteCount ?? 0
  }

  mutating func unwrite(after ticket: Ticket) {
    var first: FrameNumber?
    for index in 0..<front.count where front[index].place?.ticket ?? 0 > ticket {
      first = first ?? front[index].number
      front[index].place = nil
    }
    for index in 0..<back.count where back[index].place?.ticket ?? 0 > ticket {
      first = first ?? back[index].number
      back[index].place = nil
    }
    if let first { writtenThrough = FrameNumber(epoch: first.epoch, sequence: max(first.sequence, 1) - 1) }
  }
}

extension Mark {
  /// The place in front of the record that ends here.
  var predecessor: Mark {
    Mark(
      key: RecordKey(epoch: key.epoch, sequence: key.sequence - min(key.sequence, 1)),
      ordinal: ordinal - min(ordinal, 1))
  }
}
