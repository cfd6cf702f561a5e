import Glibc
import Posix

// What the ring does about a disk that fails. An I/O error is not damage: what cannot be read is kept under its name,
// its streams are held, and it is read again at growing intervals; what cannot be written costs nothing that was written
// before, and is tried again the same way.

extension Ring {
  /// Tells the ring the time, and tries again what failed and is due: reading, writing, syncing. Call it once a round,
  /// before anything else; it costs nothing while nothing has failed.
  package func retry(now: MonotonicTime) {
    self.now = now
    guard degradation != nil, spare == nil, !storage.isReadOnly, writeTimer.isDue(now), provisional.isEmpty else {
      return
    }
    if !options.defects.contains(.degradesForGood) { prepareSpare() }
  }

  /// When `retry` has something to do; nil while nothing has failed.
  package var retryTime: MonotonicTime? {
    heldSegments.removeAll { $0.retryTime == nil }
    let writing = degradation != nil && spare == nil && provisional.isEmpty ? writeTimer.time : nil
    return (heldSegments.compactMap(\.retryTime) + [writing].compactMap { $0 }).min()
  }

  /// Whether a restart would find the stream's position, or nothing can be done about that: nothing has to wait for it.
  package func isPositionSettled(of stream: StreamID) -> Bool {
    degradation != nil || cursor.timer.hasFailed || durablePosition(of: stream) != nil
  }

  // MARK: Writing

  /// A header, records or a footer could not be written, or not be synced.
  func noteFailure(of name: String, _ error: SystemError) {
    writeTimer.fail(now: now)
    lastWriteError = error
    // What the process lacks is no fault of the file.
    if !error.isShortage { failedFiles[name, default: 0] += 1 }
    events.append(.retired(file: name, error))
  }

  /// No records are taken until a header is durable.
  func degrade(_ error: SystemError) {
    if !writeTimer.hasFailed || writeTimer.isDue(now) { writeTimer.fail(now: now) }
    guard degradation == nil else { return }
    degradation = error
    events.append(.degraded(error))
  }

  /// A header is durable: there is where to go on.
  func recover() {
    guard degradation != nil else { return }
    degradation = nil
    events.append(.recovered)
  }

  // MARK: Reading

  /// A record that cannot be read for so long, while others can, is given up: one dead sector must not hold a stream for
  /// good. Its bytes stay where they are.
  static let readPatience = Duration.seconds(600)

  /// A segment cannot be read as a whole: its streams are held.
  func hold(_ segment: Segment, _ error: SystemError) {
    if segment.unreadableSince == nil { events.append(.unreadable(file: segment.name, error)) }
    segment.readTimer.fail(now: now)
    if !heldSegments.contains(where: { $0 === segment }) { heldSegments.append(segment) }
    closeFile(of: segment)
  }

  /// A segment was read after all.
  func release(_ segment: Segment) {
    guard segment.readTimer.hasFailed else { return }
    segment.readTimer.succeed()
    if segment.unreadableSince == nil { events.append(.readable(file: segment.name)) }
  }

  /// A record cannot be read: its stream is held.
  func hold(_ record: StoredRecord, in segment: Segment, _ error: SystemError) -> ReadResult {
    if segment.unreadableSince == nil { events.append(.unreadable(file: segment.name, error)) }
    var timer = segment.heldRecords[record.offset] ?? RetryTimer()
    timer.fail(now: now)
    segment.heldRecords[record.offset] = timer
    if !heldSegments.contains(where: { $0 === segment }) { heldSegments.append(segment) }
    let since = timer.since ?? now
    if error.code == EIO, now - since >= Ring.readPatience, let lastRead, now - lastRead <= RetryTimer.longest {
      release(record, in: segment)
      return lose(record, in: segment, UnsafeRawBufferPointer(start: nil, count: 0))
    }
    return .held
  }

  /// A record was read, whatever its bytes are worth.
  func release(_ record: StoredRecord, in segment: Segment) {
    lastRead = now
    guard segment.heldRecords.removeValue(forKey: record.offset) != nil else { return }
    if segment.unreadableSince == nil { events.append(.readable(file: segment.name)) }
  }
}

extension SystemError {
  /// The process lacks descriptors or memory for now: it says nothing about the disk.
  var isShortage: Bool { code == EMFILE || code == ENFILE || code == ENOMEM }
}
