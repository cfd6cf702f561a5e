import DiskRing
import Frames
import Posix

// Between the queue and the ring, in three steps: `plan` and `apply` touch the queue, with its lock held; `carryOut`
// touches the disk, without. One thread owns it. No clock and no thread in here, so that a test can play every order.

/// Moves frames between a queue and a ring.
final class Spooler {
  /// What is to be done on disk.
  struct Plan {
    var writes: [Entry] = []
    var reads: [ReadWish] = []
    var finished: [(lane: Int, watermark: Watermark)] = []
  }

  /// What was done.
  struct Outcome {
    var written: [Written] = []
    var reads: [(wish: ReadWish, items: [ReadBack])] = []
    var durableTicket: Ticket = 0
    /// A write has to wait for a sync.
    var isWaiting = false
    /// Whether a restart would find a lane's place in Kafka.
    var arePositionsDurable: [Bool] = []
  }

  let ring: Ring
  private var streams: [StreamID]
  private let largestFrame: Int
  /// Above so much of the ring, in hundredths, only keyframes are written; nil for never.
  private let thinAbove: Int?
  private var finished: [Watermark?]
  private let boot: UInt64
  /// When earlier boots began.
  private let clocks: BootClocks
  /// Frames of this boot were written that only its clock can date.
  private(set) var hasUndated = false
  /// Memory cannot wait for the interval between syncs.
  private var isSyncUrgent = false

  /// `streams` are those of the lanes, in their order; what they have on disk the queue knows (`restore`).
  init(
    ring: Ring, streams: [StreamID], largestFrame: Int, thinAbove: Int?, boot: UInt64 = FrameMetadata.presentBoot,
    clocks: BootClocks = BootClocks(), queue: inout MemoryQueue
  ) {
    (self.boot, self.clocks) = (boot, clocks)
    (self.ring, self.streams, self.largestFrame, self.thinAbove) = (ring, streams, largestFrame, thinAbove)
    finished = Array(repeating: nil, count: streams.count)
    queue.durableTicket = ring.durableTicket
  }

  /// The streams of lanes that are added to the queue.
  func add(_ streams: [StreamID]) {
    self.streams += streams
    finished += Array(repeating: nil, count: streams.count)
  }

  // MARK: With the queue

  /// What is to be done now. `isSpilling`: frames are to be written.
  func plan(_ queue: inout MemoryQueue, isSpilling: Bool) -> Plan {
    var plan = Plan()
    if isSpilling, ring.degraded == nil {
      plan.writes = queue.nextToWrite(byteLimit: Spooler.writeBytes, onlyKeyframes: isThinning)
    }
    plan.reads = queue.readWishes
    for lane in streams.indices {
      guard let watermark = queue.lanes[lane].watermark, watermark != finished[lane] else { continue }
      finished[lane] = watermark
      plan.finished.append((lane, watermark))
    }
    return plan
  }

  /// So much is written with one look at the queue, bytes.
  private static let writeBytes = 1 << 20

  private var isThinning: Bool {
    guard let thinAbove, ring.capacity > 0 else { return false }
    return ring.usedByteCount * 100 > ring.capacity * thinAbove
  }

  /// Tells the queue what was done.
  func apply(_ outcome: Outcome, to queue: inout MemoryQueue) {
    queue.written(outcome.written)
    queue.synced(through: outcome.durableTicket)
    for (lane, isDurable) in outcome.arePositionsDurable.enumerated() {
      queue.lanes[lane].position.isDurable = isDurable
    }
    for (wish, items) in outcome.reads { queue.readBack(items, for: wish) }
    isSyncUrgent = queue.needsSync
  }

  /// Tells the queue what has happened to the ring; returns what people should know. Call it after each of the ring's
  /// steps, and before anything new is written.
  func takeEvents(_ queue: inout MemoryQueue) -> [RingEvent] {
    let events = ring.takeEvents()
    for event in events {
      switch event {
      case .rewrite(let ticket): queue.unwrite(after: ticket)
      // Else what was written before is synced as ever.
      case .degraded: if !ring.isPresent { queue.unwrite(after: ring.durableTicket) }
      case .evicted, .damaged, .retired, .cursorFailed, .recovered, .unreadable, .readable, .found: break
      }
    }
    return events
  }

  // MARK: With the disk

  /// Writes, reads and finishes.
  func carryOut(_ plan: Plan, now: MonotonicTime) -> Outcome {
    var outcome = Outcome()
    for (lane, watermark) in plan.finished {
      if let mark = watermark.mark {
        ring.finish(streams[lane], through: mark, position: watermark.position)
      } else {
        ring.finish(streams[lane], throughUnstored: key(watermark.number), position: watermark.position)
      }
    }
    for entry in plan.writes {
      guard let written = write(entry, now: now) else {
        outcome.isWaiting = true
        break
      }
      outcome.written.append(written)
    }
    var room = plan.reads.isEmpty ? 0 : Int.max
    for wish in plan.reads {
      room = min(room, wish.room)
      outcome.reads.append((wish, read(wish, &room)))
    }
    outcome.durableTicket = ring.durableTicket
    // What is broken keeps nothing from leaving.
    outcome.arePositionsDurable = streams.map { ring.isPositionSettled(of: $0) }
    return outcome
  }

  /// The file to be synced next, if it is time; with `isSecuring` everything is due at once.
  func nextSync(now: MonotonicTime, isSecuring: Bool) -> SyncRequest? {
    ring.nextSync(now: now, flush: isSecuring, isUrgent: isSyncUrgent)
  }

  private func key(_ number: FrameNumber) -> RecordKey {
    RecordKey(epoch: number.epoch ?? ring.epoch, sequence: number.sequence)
  }

  /// Writes a frame; nil when it has to wait.
  private func write(_ entry: Entry, now: MonotonicTime) -> Written? {
    let record = NewRecord(
      stream: streams[entry.lane.index], key: key(entry.number), isKeyframe: entry.frame.isKeyframe,
      captureTime: entry.frame.captureTime, metadata: FrameMetadata.encode(entry.frame, boot: boot))
    if entry.frame.clock == .unsynced { hasUndated = true }
    var written = Written(lane: entry.lane.index, number: entry.number, place: nil)
    switch ring.append(record, payload: [entry.frame.payload.bytes], now: now) {
    case .written(let stored, let ticket): written.place = DiskPlace(mark: stored.mark, ticket: ticket)
    case .oversize: written.isOversize = true
    case .outOfOrder: break
    case .notNow, .degraded: return nil
    }
    return written
  }

  /// Reads a lane's next frames, as far as there is room.
  private func read(_ wish: ReadWish, _ room: inout Int) -> [ReadBack] {
    var items: [ReadBack] = []
    var place = ReadingPlace(wish)
    var (left, isDry) = (wish.byteLimit, wish.isDry)
    while true {
      let next = ring.next(in: streams[wish.lane], after: place.mark)
      if case .held = next { return items }
      guard case .record(let record, let gap) = next, record.key <= wish.span.through.key else {
        return items + [.end(wish.span.through, hole: place.holeAtEnd(of: wish.span, next))]
      }
      let byteCount = record.payloadByteCount + Entry.overhead
      if record.payloadByteCount > largestFrame {
        place.skip(record, .oversize)
        continue
      }
      if gap == nil, let reason = place.needsKeyframe, !record.isKeyframe {
        place.skip(record, reason)
        continue
      }
      // What is missing in front is told with the frame, so there is no stopping in between.
      guard byteCount <= room, byteCount <= left || isDry else {
        // What becomes free is for a lane that has nothing.
        if isDry { room = 0 }
        return items
      }
      let found = ring.read(record)
      if case .held = found { return items }
      guard case .bytes(let bytes) = found else { continue }
      guard let frame = frame(bytes, record) else {
        place.skip(record, .damaged)
        continue
      }
      items.append(.frame(frame, mark: record.mark, hole: place.pass(record, gap, tells: frame.gap)))
      isDry = false
      left -= byteCount
      room -= byteCount
    }
  }

  private func frame(_ bytes: RecordBytes, _ record: StoredRecord) -> Frame? {
    let payload = Payload(adopting: bytes.payload) { _ = bytes }
    return FrameMetadata.decode(
      bytes.metadata, payload: payload, isKeyframe: record.isKeyframe, captureTime: record.captureTime, boot: boot,
      clocks: clocks)
  }
}

/// How far the reading of a span has come, and what was passed on the way.
private struct ReadingPlace {
  private(set) var mark: Mark
  private(set) var needsKeyframe: Gap.Reason?
  /// The last frame in front of which nothing is missing.
  private var soundThrough: RecordKey
  private var drops: DropCounts = [:]
  private let sharesNumbers: Bool

  init(_ wish: ReadWish) {
    sharesNumbers = wish.sharesNumbers
    (mark, soundThrough, needsKeyframe) = (wish.span.after, wish.span.soundThrough, wish.needsKeyframe)
  }

  /// A record is of no use, and neither are those that need it.
  mutating func skip(_ record: StoredRecord, _ reason: Gap.Reason) {
    drops[reason, default: 0] += 1
    (mark, needsKeyframe) = (record.mark, reason)
  }

  /// A record leaves, and `told` is what it says of what was dropped in front of it.
  mutating func pass(_ record: StoredRecord, _ gap: ReadGap?, tells told: Gap?) -> Hole? {
    if let gap { drops[gap.reason, default: 0] += gap.count }
    let hole = hole(before: record.key, isOpen: false, told: told)
    (mark, soundThrough, needsKeyframe, drops) = (record.mark, record.key, nil, [:])
    return hole
  }

  /// What is missing at the end of the span.
  mutating func holeAtEnd(of span: DiskSpan, _ next: NextRecord) -> Hole? {
    if span.through.ordinal > mark.ordinal {
      let reason: Gap.Reason
      switch next {
      case .record(_, let gap), .end(let gap, _): reason = gap?.reason ?? .damaged
      case .held: return nil
      }
      drops[reason, default: 0] += span.through.ordinal - mark.ordinal
    }
    return hole(before: span.through.key, isOpen: true, told: nil)
  }

  /// The hole in front of `key`; with `isOpen` that one is missing, too.
  private func hole(before key: RecordKey, isOpen: Bool, told: Gap?) -> Hole? {
    guard let reason = drops.max(by: { $0.value < $1.value })?.key else { return nil }
    // Where a run ended nobody can count.
    guard key.epoch == soundThrough.epoch else {
      return Hole(gap: Gap(frameCount: nil, reason: .restart), drops: drops)
    }
    if sharesNumbers { return Hole(gap: Gap(frameCount: drops.values.reduce(0, +), reason: reason), drops: drops) }
    let distance = key.sequence - min(soundThrough.sequence, key.sequence)
    let missing = isOpen ? distance : max(distance, 1) - 1
    let count = missing - min(missing, told?.frameCount ?? 0)
    return Hole(gap: Gap(frameCount: count, reason: reason), drops: drops)
  }
}

extension ReadGap {
  /// What is told of it.
  fileprivate var reason: Gap.Reason { evicted > 0 ? .evicted : .damaged }
}
