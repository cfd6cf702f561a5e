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
  }

  let ring: Ring
  private let streams: [StreamID]
  private let largestFrame: Int
  /// Above so much of the ring, in hundredths, only keyframes are written; nil for never.
  private let thinAbove: Int?
  private var finished: [Watermark?]
  /// Lanes from whose span something was evicted.
  private var thinnedOut: Set<Int> = []

  /// `streams` are those of the lanes, in their order. Tells the queue what they have on disk.
  init(ring: Ring, streams: [StreamID], largestFrame: Int, thinAbove: Int?, queue: inout MemoryQueue) {
    (self.ring, self.streams, self.largestFrame, self.thinAbove) = (ring, streams, largestFrame, thinAbove)
    finished = Array(repeating: nil, count: streams.count)
    for inventory in ring.inventory {
      guard let lane = streams.firstIndex(of: inventory.stream) else { continue }
      let span = DiskSpan(after: inventory.cursor.finished, through: inventory.last)
      if span.through.key > span.after.key { queue.restore(span, in: lane) }
    }
    queue.durableTicket = ring.durableTicket
  }

  // MARK: With the queue

  /// What is to be done now. `isSpilling`: frames are to be written.
  func plan(_ queue: inout MemoryQueue, isSpilling: Bool) -> Plan {
    var plan = Plan()
    if isSpilling, ring.degraded == nil {
      plan.writes = queue.nextToWrite(byteLimit: Spooler.writeBytes, onlyKeyframes: isThinning)
    }
    plan.reads = queue.readWishes
    for lane in thinnedOut where !plan.reads.contains(where: { $0.lane == lane }) {
      guard let span = queue.lanes[lane].span else { continue }
      plan.reads.append(
        ReadWish(lane: lane, span: span, needsKeyframe: queue.lanes[lane].needsKeyframe, byteLimit: 0, isDry: false))
    }
    thinnedOut = []
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
    queue.durableTicket = outcome.durableTicket
    for (wish, items) in outcome.reads { queue.readBack(items, for: wish) }
  }

  /// Tells the queue what has happened to the ring; returns what people should know. Call it after each of the ring's
  /// steps, and before anything new is written.
  func takeEvents(_ queue: inout MemoryQueue) -> [RingEvent] {
    let events = ring.takeEvents()
    for event in events {
      switch event {
      case .rewrite(let ticket): queue.unwrite(after: ticket)
      case .degraded: queue.unwrite(after: ring.durableTicket)
      case .evicted(let stream, _, _, _), .damaged(let stream, _):
        if let lane = streams.firstIndex(of: stream) { thinnedOut.insert(lane) }
      case .retired, .cursorFailed: break
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
    return outcome
  }

  private func key(_ number: FrameNumber) -> RecordKey {
    RecordKey(epoch: number.epoch ?? ring.epoch, sequence: number.sequence)
  }

  /// Writes a frame; nil when it has to wait.
  private func write(_ entry: Entry, now: MonotonicTime) -> Written? {
    let record = NewRecord(
      stream: streams[entry.lane.index], key: key(entry.number), isKeyframe: entry.frame.isKeyframe,
      captureTime: entry.frame.captureTime, metadata: FrameMetadata.encode(entry.frame))
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
    var (items, after, needsKeyframe) = ([ReadBack](), wish.span.after, wish.needsKeyframe)
    var (left, isDry) = (wish.byteLimit, wish.isDry)
    func miss(_ count: UInt64, _ reason: Gap.Reason, _ mark: Mark) {
      items.append(.missing(Gap(frameCount: count, reason: reason), after: mark))
      (after, needsKeyframe) = (mark, reason)
    }
    while true {
      guard case .record(let record, let gap) = ring.next(in: streams[wish.lane], after: after),
        record.key <= wish.span.through.key
      else {
        let end = wish.span.through
        if end.ordinal > after.ordinal { miss(end.ordinal - after.ordinal, lossReason(wish, after), end) }
        return items + [.end(end)]
      }
      if let gap {
        miss(gap.count, gap.evicted > 0 ? .evicted : .damaged, record.mark.before)
        needsKeyframe = nil
        continue
      }
      if let reason = needsKeyframe, !record.isKeyframe {
        miss(1, reason, record.mark)
        continue
      }
      let byteCount = record.payloadByteCount + Entry.overhead
      if record.payloadByteCount > largestFrame {
        miss(1, .oversize, record.mark)
        continue
      }
      guard byteCount <= room, byteCount <= left || isDry else { return items }
      switch ring.read(record) {
      case .gone, .damaged: continue
      case .bytes(let bytes):
        guard let frame = frame(bytes, record) else {
          miss(1, .damaged, record.mark)
          continue
        }
        items.append(.frame(frame, mark: record.mark))
        (after, needsKeyframe, isDry) = (record.mark, nil, false)
        left -= byteCount
        room -= byteCount
      }
    }
  }

  /// Why the end of a span is missing.
  private func lossReason(_ wish: ReadWish, _ after: Mark) -> Gap.Reason {
    switch ring.next(in: streams[wish.lane], after: after) {
    case .record(_, let gap): gap?.evicted ?? 0 > 0 ? .evicted : .damaged
    case .end(let gap, _): gap?.evicted ?? 0 > 0 ? .evicted : .damaged
    }
  }

  private func frame(_ bytes: RecordBytes, _ record: StoredRecord) -> Frame? {
    let payload = Payload(adopting: bytes.payload) { _ = bytes }
    return FrameMetadata.decode(
      bytes.metadata, payload: payload, isKeyframe: record.isKeyframe, captureTime: record.captureTime)
  }
}
