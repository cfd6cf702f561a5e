import Glibc
import Posix

// What is finished, and when it is written down: at most once a second, never while the ring is empty and stays so, and
// before the first record of a spill.

/// The cursor file as the ring keeps it.
struct CursorState {
  var file: FileNumber?
  /// The turn of the newest durable slot; the next write goes to the other one.
  var durableTurn: UInt64 = 0
  /// The slot of the next turn was damaged, or could not be read, when the ring was opened.
  var hasDamagedSlot = false
  /// When the cursor was last written.
  var lastWrite: MonotonicTime?
  /// When that was written which is durable now.
  var durableWrite: MonotonicTime?
  /// A record waits until the cursor is durable.
  var isAwaited = false
  /// When writing it is tried again.
  var timer = RetryTimer()
  /// How often it was written.
  var writeCount: UInt64 = 0
}

extension Ring {
  /// The shortest time from one cursor write to the next.
  static let cursorInterval = Duration.seconds(1)

  /// Everything of the stream up to `mark` is finished: acknowledged, evicted or dropped, and counted. `position` is
  /// where in Kafka the newest of it lies; nil leaves the position as it is. Never moves backwards.
  package func finish(_ stream: StreamID, through mark: Mark, position: LogPosition? = nil) {
    guard let state = streams[stream.number] else { return }
    var (cursor, mark) = (state.cursor, mark)
    if hasVoidMarks {
      mark.ordinal = max(ordinal(of: mark.key, state), min(mark.ordinal, cursor.evictedThrough.ordinal))
    }
    if mark.key > cursor.finished.key {
      cursor.finished = Mark(key: mark.key, ordinal: max(mark.ordinal, cursor.finished.ordinal))
    } else if mark.key == cursor.finished.key {
      cursor.finished.ordinal = max(mark.ordinal, cursor.finished.ordinal)
    }
    if let position { cursor.position = position }
    streams[stream.number]?.cursor = cursor
  }

  /// The same for a frame that was never in the ring: all records of the stream in front of it are finished, too. Also
  /// how a lane says where it begins: `key` zero, with the partition's high watermark.
  package func finish(_ stream: StreamID, throughUnstored key: RecordKey, position: LogPosition? = nil) {
    guard let state = streams[stream.number] else { return }
    let ordinal =
      key >= state.last.key ? max(state.last.ordinal, state.cursor.evictedThrough.ordinal) : ordinal(of: key, state)
    finish(stream, through: Mark(key: key, ordinal: ordinal), position: position)
  }

  /// The ordinal of the stream's newest record at or below `key`.
  private func ordinal(of key: RecordKey, _ stream: Stream) -> UInt64 {
    var ordinal = stream.cursor.finished.ordinal
    // What is finished is aligned already.
    let oldest = startsOfReading(of: stream.number).generation(behind: stream.cursor.finished.key)
    for place in segments.index(from: oldest)..<segments.endIndex {
      guard let summary = segments[place].summary(of: stream.number) else { continue }
      if summary.first.key > key { break }
      ordinal = max(ordinal, self.ordinal(of: key, stream.number, summary, in: segments[place]))
    }
    return ordinal
  }

  func ordinal(of key: RecordKey, _ stream: UInt16, _ summary: StreamSummary, in segment: Segment) -> UInt64 {
    if summary.last.key <= key { return summary.last.ordinal }
    // While it cannot be read, what is known already has to do.
    let entries = index(of: segment)?.byStream[stream] ?? []
    return entries.last { $0.mark.key <= key }?.mark.ordinal ?? 0
  }

  /// What a restart would find as the stream's position; nil while it would find none.
  package func durablePosition(of stream: StreamID) -> LogPosition? {
    streams[stream.number]?.durableCursor?.position
  }

  /// How often the cursor was written since the ring was opened.
  package var cursorWriteCount: UInt64 { cursor.writeCount }

  private var cursorIsDirty: Bool { streams.values.contains { $0.cursor != ($0.durableCursor ?? CursorEntry()) } }

  /// Whether the durable cursor says that something is left to be sent.
  private var isEmptyForTheCursor: Bool {
    streams.values.allSatisfy { $0.last.key <= $0.durableCursor?.finished.key ?? .zero }
  }

  /// Whether a record of `stream` has to wait for the cursor: resuming needs to know where in Kafka to look from, so a
  /// cursor not much older than the first record has to be durable before it.
  func waitsForCursor(_ stream: Stream, now: MonotonicTime) -> Bool {
    if options.defects.contains(.cursorBeforeSync) { return false }
    // Rather more sent twice after a restart than nothing kept at all.
    if cursor.timer.hasFailed, !options.defects.contains(.cursorBlocks) { return false }
    let isUnknown =
      (stream.durableCursor == nil && stream.cursor != CursorEntry())
      || (stream.durableCursor?.position == nil && stream.cursor.position != nil)
    let isOld = cursor.durableWrite.map { now - $0 >= Ring.cursorInterval } ?? true
    guard isUnknown || (isEmpty && isOld && cursorIsDirty) else { return false }
    cursor.isAwaited = true
    return true
  }

  /// When the cursor has to be written next; nil while there is no reason to.
  var cursorTime: MonotonicTime? {
    guard cursorIsDirty, cursor.isAwaited || !isEmptyForTheCursor else { return nil }
    if let time = cursor.timer.time { return time }
    return cursor.lastWrite.map { $0 + Ring.cursorInterval } ?? MonotonicTime(nanoseconds: .min)
  }

  /// Whether the cursor is written now; `flush` does not wait for what has failed.
  func isCursorDue(_ now: MonotonicTime, flush: Bool) -> Bool {
    guard let time = cursorTime else { return false }
    return time <= now || flush && !cursor.timer.hasFailed
  }

  /// Writes the cursor into the older slot; its sync is what is returned.
  func writeCursor(now: MonotonicTime) -> SyncRequest? {
    cursor.lastWrite = now
    cursor.writeCount += 1
    do throws(SystemError) {
      let turn = cursor.durableTurn + 1
      try writeCursorSlot(turn: turn, CursorFile.encode(cursorEntries))
      guard let file = cursor.file else { return nil }
      return request(file, .cursor(streams.mapValues(\.cursor)))
    } catch {
      cursorFailed(error)
      return nil
    }
  }

  private func writeCursorSlot(turn: UInt64, _ content: [UInt8]) throws(SystemError) {
    if cursor.file == nil { cursor.file = try storage.open(CursorFile.fileName, creating: false) }
    guard let file = cursor.file else { return }
    let slot = options.defects.contains(.singleCursorSlot) ? 0 : Int(turn % 2)
    try storage.writeAll(
      bytes: DoubleSlot.encode(magic: CursorFile.magic, turn: turn, ringID: id, content: content), to: file,
      at: slot * DoubleSlot.distance)
  }

  func cursorIsDurable(_ entries: [UInt16: CursorEntry]) {
    cursor.durableTurn += 1
    cursor.durableWrite = cursor.lastWrite
    // A sync may take longer than the interval: others come first then.
    if let lastWrite = cursor.lastWrite { cursor.lastWrite = max(now, lastWrite) }
    cursor.timer.succeed()
    cursor.isAwaited = false
    for (stream, entry) in entries { streams[stream]?.durableCursor = entry }
  }

  /// The slot may hold anything now. The next write goes to the same one: the other is still good.
  func cursorFailed(_ error: SystemError) {
    events.append(.cursorFailed(error))
    cursor.timer.fail(now: now)
    cursor.isAwaited = false
    // The next attempt opens it anew.
    if let file = cursor.file { storage.close(file) }
    cursor.file = nil
    if !storage.isPresent { degrade(error) }
  }
}
