import DiskRing
import Posix

// The invariants, and what the caller learns from events.

extension World {
  /// Carries out what the ring's events ask for: records that are void are written again, in order, before any other.
  func settleEvents() throws {
    guard takeEvents(), !storage.hasCrashed else { return }
    queue = memory + queue
    memory = []
  }

  /// Notes what has happened; true when records have to be written again.
  @discardableResult
  func takeEvents() -> Bool {
    var rewrites = false
    for event in ring?.takeEvents() ?? [] {
      say("event: \(event)")
      switch event {
      case .evicted(let stream, let count, let first, let last):
        if count > 0, !evictedSinceSync.insert(stream).inserted, broken == nil {
          broken = Violation(
            "stream \(stream.number): \(first) to \(last) made room again, and no sync has worked since")
        }
        mark(stream) { $0.key >= first && $0.key <= last }
      case .damaged(let stream, let key): mark(stream) { $0.key == key }
      case .rewrite(let ticket):
        rewrites = true
        for index in models.indices { models[index].makeVoid(after: ticket) }
      case .cursorFailed: (pendingFinished, hasLostCursor) = (nil, true)
      case .retired, .degraded, .recovered, .unreadable, .readable, .found: break
      }
    }
    return rewrites
  }

  private func mark(_ stream: StreamID, where isGone: (StreamModel.Record) -> Bool) {
    guard let index = ids.firstIndex(of: stream) else { return }
    for place in models[index].records.indices where isGone(models[index].records[place]) {
      models[index].records[place].isGone = true
    }
  }

  // MARK: After opening

  /// What was not durable may be there or not; what was durable must be.
  func adoptWhatIsLeft(_ ring: Ring) throws {
    for stream in models.indices {
      let cursor = ring.cursor(of: ids[stream])
      let isExcused = mayLoseCursor || hasLostCursor
      // What was finished without ever being durable is counted again by an older cursor.
      if isExcused { models[stream].isInexact = true }
      if cursor.finished.key < models[stream].durableFinished, !isExcused {
        throw Violation(
          "stream \(stream): the watermark went back to \(cursor.finished.key), \(models[stream].durableFinished) was durable"
        )
      }
      // A header that was passed over for the footer of the file's earlier use counts once that footer is destroyed: it
      // says what was finished before the crash that the cursor did not learn of.
      let finished = isRotten ? models[stream].everFinished : models[stream].finished
      if cursor.finished.key > finished {
        throw Violation("stream \(stream): the watermark is \(cursor.finished.key), only \(finished) is finished")
      }
      let walk = try self.walk(ring, stream, from: cursor.finished)
      let present = Set(ring.records(of: ids[stream]).map(\.key))
      // Power was cut while it was read: nothing is learned.
      if storage.hasCrashed { return }
      if !walk.records.isEmpty, cursor.position == nil, models[stream].hasPosition, !isExcused {
        throw Violation("stream \(stream) has records, and nobody knows where in Kafka to look for them")
      }
      if let spill = models[stream].spill, present.contains(spill.first), cursor.finished.key < spill.finished,
        !isExcused
      {
        throw Violation(
          "stream \(stream): \(spill.first) was spilled behind a cursor at \(cursor.finished.key), not \(spill.finished)"
        )
      }
      (models[stream].spill, models[stream].history) = (nil, [(now, cursor.finished.key)])
      models[stream].finished = cursor.finished.key
      models[stream].durableFinished = cursor.finished.key
      say(
        "stream \(stream): finished \(cursor.finished), there \(present.sorted()), void \(models[stream].void.map(\.key))"
      )
      // What was finished and made room for it counts again when the cursor forgets.
      if isExcused { models[stream].noteMissing(present, through: models[stream].everFinished) }
      models[stream].reinstate(present)
      if wasCutShort { models[stream].noteEvicted(walk.evictedCount, present) }
      try settle(stream, present, walk)
    }
    (mayLoseCursor, hasLostCursor) = (false, false)
  }

  private func settle(_ stream: Int, _ present: Set<RecordKey>, _ walk: Walk) throws {
    // What is there is durable now. Behind it, only durable records count.
    for index in models[stream].records.indices where present.contains(models[stream].records[index].key) {
      models[stream].records[index].isDurable = true
    }
    // Tickets are of one life: no sync of this one can void what was before.
    for index in models[stream].records.indices { models[stream].records[index].ticket = 0 }
    let last = models[stream].records.lastIndex { $0.isDurable || present.contains($0.key) }
    models[stream].records.removeLast(models[stream].records.count - (last.map { $0 + 1 } ?? 0))
    guard isRotten else { return }
    // Lost at the end with nothing behind to count it by: told by the report, which is checked by the caller.
    let lastRead = walk.records.last?.key ?? models[stream].finished
    let end = RecordKey(epoch: .max, sequence: 0)
    while let last = models[stream].records.last, !present.contains(last.key), last.key > models[stream].finished,
      models[stream].count(between: lastRead, and: end) > walk.endGap?.count ?? 0
    {
      if !mayBeUntold, ring?.recovery.findings.isEmpty != false {
        throw Violation("stream \(stream): \(last.key) is gone without a word")
      }
      models[stream].records.removeLast()
      models[stream].isInexact = true
    }
    for index in models[stream].records.indices where !present.contains(models[stream].records[index].key) {
      if models[stream].records[index].key > models[stream].finished { models[stream].records[index].isGone = true }
    }
  }

  // MARK: Checks

  struct Walk {
    var records: [StoredRecord] = []
    var gaps: [ReadGap?] = []
    var endGap: ReadGap?
    /// What comes next cannot be read for now.
    var isHeld = false

    /// How many records are told to have made room.
    var evictedCount: UInt64 { (gaps + [endGap]).reduce(0) { $0 + ($1?.evicted ?? 0) } }
  }

  /// Everything of a stream behind a mark, as the ring tells it, the skipped ones left out.
  func walk(_ ring: Ring, _ stream: Int, from mark: Mark) throws -> Walk {
    var (walk, mark) = (Walk(), mark)
    while true {
      switch ring.next(in: ids[stream], after: mark) {
      case .record(let record, let gap):
        walk.records.append(record)
        walk.gaps.append(gap)
        guard record.key > mark.key else { throw Violation("stream \(stream): \(record.key) comes behind \(mark.key)") }
        mark = record.mark
      case .end(let gap, _):
        walk.endGap = gap
        return walk
      case .held:
        walk.isHeld = true
        return walk
      }
    }
  }

  /// Compares everything with the model, bytes included.
  package func checkAll() throws {
    for stream in models.indices { try check(stream, bytes: true) }
    try checkSize()
  }

  /// Compares without bytes, one stream of them.
  package func checkStep() throws {
    stepCount += 1
    if let broken, !storage.hasCrashed { throw broken }
    guard ring != nil else { return }
    try check(stepCount % models.count, bytes: stepCount % 16 == 0)
    try checkSize()
  }

  private func checkSize() throws {
    let limit = 1 << 20 + segmentCount * shape.segmentByteCount
    if storage.usedByteCount > limit { throw Violation("\(storage.usedByteCount) bytes on disk, \(limit) allowed") }
    if storage.openCount > 16 { throw Violation("\(storage.openCount) files are open") }
  }

  private func check(_ stream: Int, bytes: Bool) throws {
    guard let ring, !storage.hasCrashed else { return }
    let walk = try self.walk(ring, stream, from: ring.cursor(of: ids[stream]).finished)
    let pending = models[stream].pending
    var (index, before) = (pending.startIndex, models[stream].finished)
    for (record, gap) in zip(walk.records, walk.gaps) {
      var missing: UInt64 = 0
      while index < pending.endIndex, pending[index].key < record.key {
        try checkMissing(pending[index], stream: stream, gap: gap)
        (index, missing) = (index + 1, missing + 1)
      }
      guard index < pending.endIndex, pending[index].key == record.key else {
        throw Violation("stream \(stream): \(record.key) was never written, or is void")
      }
      try checkGap(gap, missing, record, stream: stream, before: before)
      if bytes { _ = try checkBytes(record, stream: stream) }
      if storage.hasCrashed { return }
      before = record.key
      index += 1
    }
    // What comes next cannot be read while the disk fails.
    if walk.isHeld { return }
    let rest = pending[index...]
    for record in rest { try checkMissing(record, stream: stream, gap: walk.endGap) }
    let told = walk.endGap?.count ?? 0
    if models[stream].isInexact ? told < rest.count : told != rest.count {
      throw Violation(
        "stream \(stream): \(rest.count) missing at the end, told \(walk.endGap.map { "\($0)" } ?? "none")")
    }
  }

  private func checkGap(
    _ gap: ReadGap?, _ missing: UInt64, _ record: StoredRecord, stream: Int, before: RecordKey
  ) throws {
    let told = gap?.count ?? 0
    if models[stream].isInexact ? told < missing : told != missing {
      throw Violation(
        "stream \(stream): \(missing) are missing between \(before) and \(record.key), told \(gap.map { "\($0)" } ?? "none")"
      )
    }
    if missing > 0, !record.isKeyframe { throw Violation("stream \(stream): \(record.key) cannot be decoded") }
  }

  /// Whether a record may be missing: it was evicted, is damaged, was never durable, or cannot be decoded.
  private func checkMissing(_ record: StreamModel.Record, stream: Int, gap: ReadGap?) throws {
    guard let gap else { throw Violation("stream \(stream): \(record.key) is missing and nobody says so") }
    if record.isGone || gap.skipped > 0 || !record.isDurable { return }
    throw Violation("stream \(stream): \(record.key) was durable and is gone")
  }

  /// Reads a record and compares its bytes; false when the ring says that it is damaged.
  func checkBytes(_ record: StoredRecord, stream: Int) throws -> Bool {
    guard let ring else { return false }
    let index = models[stream].records.firstIndex { $0.key == record.key }
    guard let index else { throw Violation("stream \(stream): \(record.key) is unknown") }
    switch ring.read(record) {
    case .bytes(let bytes):
      let expected = StreamModel.payload(stream: stream, record.key, byteCount: models[stream].records[index].byteCount)
      if storage.hasCrashed { return false }
      guard bytes.payload.elementsEqual(expected), bytes.metadata.elementsEqual([UInt8(stream), 1, 2]) else {
        throw Violation("stream \(stream): the bytes of \(record.key) are not those that were written")
      }
      return true
    case .damaged:
      if storage.hasCrashed { return false }
      guard isRotten else {
        throw Violation("stream \(stream): \(record.key) is damaged, and nothing has damaged it")
      }
      takeEvents()
      return false
    case .held: return false
    case .gone: throw Violation("stream \(stream): \(record.key) is there and gone")
    }
  }
}
