import DiskRing
import Glibc
import Posix

// A ring, its disk, and a caller who does what the backlog does: keeps records in memory until they are durable, writes
// them again when the ring says so, finishes what was read. Every step is checked against the model.

/// One simulated life.
package final class World {
  package struct Shape {
    package var segmentByteCount = 32 << 10
    package var segmentCount = 5
    package var streamCount = 2
    package var defects: RingDefects = []

    package init() {}
  }

  var random: SeededRandom
  let shape: Shape
  package var storage: SimulatedStorage
  package var ring: Ring?
  var models: [StreamModel]
  var ids: [StreamID] = []
  var now = MonotonicTime(nanoseconds: 0)
  /// Records that are not durable, over all streams, in the order they were written: the caller's memory.
  var memory: [(stream: Int, record: StreamModel.Record)] = []
  /// Records that still have to be written, or again.
  var queue: [(stream: Int, record: StreamModel.Record)] = []
  var pendingSync: SyncRequest?
  /// What the cursor says that is being synced.
  var pendingFinished: [RecordKey]?
  var cursorWrites: UInt64 = 0
  var lastCursorWrite: MonotonicTime?
  /// The greatest epoch that was ever used.
  var usedEpoch: UInt64 = 0
  var segmentCount: Int
  /// Bits were flipped, or files touched, since the last opening: losses are allowed, if they are told.
  var isRotten = false
  /// Finished marks may go back: both slots of the cursor may have suffered.
  var mayLoseCursor = false
  /// The cursor could not be written: records were taken without it.
  var hasLostCursor = false
  /// How many slots of the superblock may have suffered since the last opening: the epoch survives the loss of one.
  var epochHarm = 0
  /// An older copy of the card.
  var cardCopy: CardCopy?
  var openCount = 0
  /// An opening that found damage was itself cut short: what it had to tell is lost.
  var mayBeUntold = false
  var sequence: UInt64 = 0
  /// Streams of which something made room since a sync worked last.
  var evictedSinceSync: Set<StreamID> = []
  /// What an event has shown to be broken.
  var broken: Violation?
  /// The power was cut in the middle of a call: the model does not know what the ring had decided.
  var wasCutShort = false
  /// How often each recovery case was met.
  package var caseCounts: [RecoveryCase: Int] = [:]
  package var stepCount = 0
  /// Prints what happens, for a seed that is looked at.
  package var isVerbose = false

  func say(_ text: @autoclosure () -> String) { if isVerbose { print(text()) } }

  package init(seed: UInt64, shape: Shape = Shape()) {
    random = SeededRandom(seed: seed)
    self.shape = shape
    storage = SimulatedStorage(seed: SeededRandom.mixed(seed))
    models = Array(repeating: StreamModel(), count: shape.streamCount)
    segmentCount = shape.segmentCount
  }

  var options: RingOptions {
    var options = RingOptions(
      size: .bytes(1 << 20 + segmentCount * shape.segmentByteCount), segmentByteCount: shape.segmentByteCount,
      syncInterval: .seconds(1), syncBytes: 8 << 10, minimumEpoch: 1_000 + UInt64(openCount), newRingID: 0xfeed)
    options.defects = shape.defects
    // Where reads fail for a moment, an opening that waits for the second slot comes to it.
    options.acceptsOneSlot = storage.faults.readFails == 0
    return options
  }

  static func description(_ stream: Int) -> StreamDescription {
    StreamDescription(name: "camera-\(stream)", topic: "t")
  }

  // MARK: Opening

  /// Opens the ring and compares what is there with what has to be.
  package func open() throws {
    ids = []
    pendingSync = nil
    // The clock goes on.
    openCount += 1
    let ring = try Ring.open(storage, options)
    if storage.hasCrashed { return }
    self.ring = ring
    for (found, count) in ring.recovery.counts { caseCounts[found, default: 0] += count }
    say("opened, epoch \(ring.epoch): \(ring.recovery.findings), unread \(ring.recovery.unreadFiles)")
    say(ring.segmentList)
    try checkEpoch(ring)
    for stream in 0..<shape.streamCount { ids.append(try ring.register(World.description(stream))) }
    cursorWrites = ring.cursorWriteCount
    lastCursorWrite = nil
    takeEvents()
    // A ring that is made smaller lets go of several segments at once.
    (evictedSinceSync, broken) = ([], nil)
    (memory, queue) = ([], [])
    try adoptWhatIsLeft(ring)
    if storage.hasCrashed { return }
    mayBeUntold = false
    try checkAll()
    for stream in 0..<shape.streamCount { place(stream) }
  }

  private func checkEpoch(_ ring: Ring) throws {
    guard ring.epoch > usedEpoch || epochHarm > 1 else {
      throw Violation("epoch \(ring.epoch) is used again, \(usedEpoch) was used before")
    }
    epochHarm = 0
    usedEpoch = max(usedEpoch, ring.epoch)
    sequence = 0
  }

  /// Tells the ring where in Kafka the stream begins.
  private func place(_ stream: Int) {
    if ring?.cursor(of: ids[stream]).position == nil {
      ring?.finish(ids[stream], throughUnstored: .zero, position: LogPosition(partition: Int32(stream), offset: 5))
    }
    models[stream].hasPosition = true
  }

  // MARK: Steps

  func append(_ stream: Int, isKeyframe: Bool, byteCount: Int) throws {
    guard let ring else { return }
    sequence += 1
    let key = RecordKey(epoch: ring.epoch, sequence: sequence)
    queue.append((stream, StreamModel.Record(key: key, isKeyframe: isKeyframe, byteCount: byteCount, ticket: 0)))
    try drain()
  }

  /// Writes what waits, as far as the ring takes it now.
  func drain() throws {
    while let (stream, record) = queue.first, let ring, !storage.hasCrashed {
      if record.key > models[stream].finished {
        let result = write(ring, stream, record)
        if storage.hasCrashed { return }
        if result == .notNow || result == .degraded {
          try settleEvents()
          return
        }
      }
      if !queue.isEmpty { queue.removeFirst() }
      try settleEvents()
    }
  }

  private func write(_ ring: Ring, _ stream: Int, _ record: StreamModel.Record) -> AppendResult {
    let payload = StreamModel.payload(stream: stream, record.key, byteCount: record.byteCount)
    let new = NewRecord(
      stream: ids[stream], key: record.key, isKeyframe: record.isKeyframe, captureTime: Int64(record.key.sequence),
      metadata: [UInt8(stream), 1, 2])
    let half = payload.count / 2
    let isSpill = ring.isEmpty
    let result = payload.withUnsafeBytes { bytes in
      ring.append(
        new,
        payload: [UnsafeRawBufferPointer(rebasing: bytes[..<half]), UnsafeRawBufferPointer(rebasing: bytes[half...])],
        now: now)
    }
    // A write that the power cut ends may have arrived, whatever the answer.
    if let ticket = storage.hasCrashed ? ring.durableTicket + 1 : result.ticket {
      var record = record
      (record.ticket, record.isDurable) = (ticket, false)
      models[stream].records.append(record)
      if isSpill { models[stream].noteSpill(record.key, now: now) }
      if !storage.hasCrashed { for index in models.indices { models[index].void = [] } }
      memory.append((stream, record))
    }
    say("append \(stream) \(record.key) \(record.isKeyframe ? "keyframe " : "")\(record.byteCount): \(result.summary)")
    return result
  }

  /// Begins the next sync if one is due.
  func beginSync(flush: Bool) throws {
    guard let ring, pendingSync == nil else { return }
    let request = ring.nextSync(now: now, flush: flush)
    if ring.cursorWriteCount != cursorWrites {
      try noteCursorWrite(ring, flush: flush)
      pendingFinished = models.map(\.finished)
    }
    if storage.hasCrashed { return }
    if let request {
      storage.beginSync(request.file)
      pendingSync = request
      say("sync of file \(request.file.value) begins")
    } else {
      pendingFinished = nil
    }
    try settleEvents()
  }

  private func noteCursorWrite(_ ring: Ring, flush: Bool) throws {
    if ring.cursorWriteCount > cursorWrites + 1 { throw Violation("two cursor writes at once") }
    if !flush, let last = lastCursorWrite, now - last < .seconds(1) {
      throw Violation("two cursor writes within \(now - last)")
    }
    (cursorWrites, lastCursorWrite) = (ring.cursorWriteCount, now)
  }

  /// The sync that was begun ends.
  func endSync(fails: Bool) throws {
    guard let ring, let request = pendingSync else { return }
    let fails = storage.isSyncFailing(request.file) || fails
    pendingSync = nil
    say("sync ends\(fails ? " badly" : "")")
    storage.endSync(request.file, fails: fails)
    ring.syncFinished(request, fails ? SystemError(code: EIO, operation: "fdatasync") : nil)
    if storage.hasCrashed { return }
    if !fails { evictedSinceSync = [] }
    if let finished = pendingFinished, !fails {
      for stream in models.indices {
        models[stream].durableFinished = max(models[stream].durableFinished, finished[stream])
      }
    }
    pendingFinished = nil
    noteDurable(ring)
    try settleEvents()
    try drain()
  }

  private func noteDurable(_ ring: Ring) {
    let durable = ring.durableTicket
    while let first = memory.first, first.record.ticket <= durable {
      memory.removeFirst()
      let key = first.record.key
      if let index = models[first.stream].records.lastIndex(where: { $0.key == key }) {
        models[first.stream].records[index].isDurable = true
      }
    }
  }

  /// Syncs until nothing is left to be synced.
  func flush() throws {
    try endSync(fails: false)
    for _ in 0..<20 {
      try beginSync(flush: true)
      guard pendingSync != nil, !storage.hasCrashed else { return }
      try endSync(fails: false)
    }
  }

  /// Reads on in a stream and finishes what was read.
  func consume(_ stream: Int, limit: Int) throws {
    guard let ring else { return }
    var mark = ring.cursor(of: ids[stream]).finished
    for _ in 0..<limit {
      switch ring.next(in: ids[stream], after: mark) {
      case .record(let record, _):
        if try !checkBytes(record, stream: stream) { continue }
        mark = record.mark
      case .end(let gap, let end):
        if storage.hasCrashed { return }
        if gap != nil { mark = end }
        return finish(stream, mark)
      case .held: return finish(stream, mark)
      }
      if storage.hasCrashed { return }
    }
    finish(stream, mark)
  }

  private func finish(_ stream: Int, _ mark: Mark) {
    say("finish \(stream) \(mark)")
    ring?.finish(ids[stream], through: mark, position: LogPosition(partition: Int32(stream), offset: Int64(sequence)))
    models[stream].finish(mark.key, now: now)
  }

  /// The newest frames went out from memory without ever being in the ring.
  func finishUnstored(_ stream: Int) {
    guard let ring, memory.isEmpty, queue.isEmpty, ring.isEmpty else { return }
    sequence += 1
    let key = RecordKey(epoch: ring.epoch, sequence: sequence)
    ring.finish(
      ids[stream], throughUnstored: key, position: LogPosition(partition: Int32(stream), offset: Int64(sequence)))
    models[stream].finish(key, now: now)
  }

  /// All faults end and minutes pass: whatever was held for them is read, written and synced again.
  func recover() throws {
    guard let ring, !storage.hasCrashed else { return }
    (storage.faults, storage.worn) = (SimulatedStorage.Faults(), nil)
    storage.replaceDeadSector()
    say("all faults end")
    try endSync(fails: false)
    now = now + .seconds(120)
    for _ in 0..<10 {
      ring.retry(now: now)
      try settleEvents()
      try drain()
      try flush()
      now = now + .seconds(2)
    }
    if let error = ring.degraded { throw Violation("nothing is taken after all faults have ended: \(error)") }
    if !queue.isEmpty { throw Violation("\(queue.count) records still wait after all faults have ended") }
    for stream in models.indices {
      if try walk(ring, stream, from: ring.cursor(of: ids[stream]).finished).isHeld {
        throw Violation("stream \(stream) is still held after all faults have ended")
      }
    }
    try checkAll()
  }

  /// The cursor wears out: whatever fits is taken within a bounded number of steps all the same, and a flush ends.
  func wearCursorOut() throws {
    guard let ring, storage.worn == nil, ring.degraded == nil else { return }
    say("the cursor cannot be written any more")
    storage.worn = "cursor"
    try flush()
    for _ in 0..<12 where !queue.isEmpty && ring.degraded == nil && !storage.hasCrashed {
      now = now + .seconds(2)
      ring.retry(now: now)
      try flush()
      try drain()
    }
    if !queue.isEmpty, ring.degraded == nil, !storage.hasCrashed {
      throw Violation("\(queue.count) records wait for a cursor that cannot be written")
    }
  }

  // MARK: Ends

  /// Power is cut, or the process dies and the machine lives.
  func end(losingPower: Bool) {
    ring = nil
    pendingSync = nil
    pendingFinished = nil
    say(losingPower ? "power is cut" : "the process ends")
    wasCutShort = storage.hasCrashed
    if wasCutShort {
      mayBeUntold = mayBeUntold || isRotten
      if epochHarm > 0 { epochHarm = 2 }
    }
    if losingPower { storage.crash() } else { storage.endProcess() }
  }
}

extension AppendResult {
  var ticket: Ticket? { if case .written(_, let ticket) = self { ticket } else { nil } }

  var summary: String {
    guard case .written(let record, let ticket) = self else { return "\(self)" }
    return "ticket \(ticket), ordinal \(record.mark.ordinal)"
  }
}
