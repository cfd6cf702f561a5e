import Glibc
import Posix

// Making things durable: one fdatasync at a time, in the order cursor, headers, then records oldest segment first, so
// that what is durable is always a prefix of what was written. A sync that failed says nothing about its data: it is
// never tried again; the records are void and have to be written again elsewhere.

extension Ring {
  /// The file to be synced next, if it is time; nil while a sync is under way or nothing is due. With `flush` everything
  /// that is not durable is due at once, with `isUrgent` all records are.
  package func nextSync(now: MonotonicTime, flush: Bool = false, isUrgent: Bool = false) -> SyncRequest? {
    self.now = now
    guard pendingSync == nil, !storage.isReadOnly, syncDelay.isDue(now) else { return nil }
    // Without its directory nothing is durable, whatever a sync says.
    if degradation != nil, !storage.isPresent { return nil }
    if isCursorDue(now, flush: flush), let request = writeCursor(now: now) { return request }
    if let spare, spare.state == .preparing, let request = request(of: spare, .header(spare)) { return request }
    for segment in segments.busy {
      if let request = nextSync(of: segment, now: now, flush: flush || isUrgent) { return request }
    }
    return nil
  }

  private func nextSync(of segment: Segment, now: MonotonicTime, flush: Bool) -> SyncRequest? {
    switch segment.state {
    case .closing where segment.durableEnd < segment.end && options.defects.contains(.footerBeforeSync):
      return writeFooter(segment)
    case .closing where segment.durableEnd < segment.end: return syncRecords(segment)
    case .closing: return writeFooter(segment)
    case .open where flush || isDue(segment, now: now):
      return segment.durableEnd < segment.end ? syncRecords(segment) : nil
    default: return nil
    }
  }

  private func isDue(_ segment: Segment, now: MonotonicTime) -> Bool {
    if segment.end - segment.durableEnd >= options.syncBytes { return true }
    return segment.oldestUndurable.map { $0 + options.syncInterval <= now } ?? false
  }

  /// When `nextSync` should be asked again even if nothing happens; nil for never.
  package var nextSyncTime: MonotonicTime? {
    if pendingSync != nil || storage.isReadOnly || (degradation != nil && !storage.isPresent) { return nil }
    if let time = syncDelay.time { return time }
    let isUrgent = spare?.state == .preparing || segments.busy.contains { $0.state == .closing }
    if isUrgent { return MonotonicTime(nanoseconds: .min) }
    let records = segments.busy.compactMap { segment -> MonotonicTime? in
      if segment.end - segment.durableEnd >= options.syncBytes { return MonotonicTime(nanoseconds: .min) }
      return segment.oldestUndurable.map { $0 + options.syncInterval }
    }
    return ([cursorTime].compactMap { $0 } + records).min()
  }

  func request(_ file: FileNumber, _ kind: PendingSync) -> SyncRequest {
    lastSyncNumber += 1
    let request = SyncRequest(number: lastSyncNumber, file: file)
    (pendingSync, syncHandedOut) = ((request, kind), now)
    return request
  }

  private func request(of segment: Segment, _ kind: PendingSync) -> SyncRequest? {
    do throws(SystemError) { return request(try openFile(of: segment), kind) } catch {
      if error.isShortage { syncDelay.fail(now: now) } else { failed(kind, error) }
      return nil
    }
  }

  private func syncRecords(_ segment: Segment) -> SyncRequest? {
    request(of: segment, .records(segment, end: segment.end, lastTicket: segment.lastTicket))
  }

  /// All records of the segment are durable: now the footer may say so.
  private func writeFooter(_ segment: Segment) -> SyncRequest? {
    guard !segment.isBad else {
      seal(segment)
      return nil
    }
    // A segment that is written has its index in memory.
    guard let index = segment.index else { return nil }
    let footer = Footer(
      index, identity: segment.identity, dataStart: segment.dataStart, dataEnd: segment.end)
    segment.state = .footing
    do throws(SystemError) {
      try storage.writeFooter(footer, to: openFile(of: segment))
    } catch {
      failed(.footer(segment), error)
      return nil
    }
    return request(of: segment, .footer(segment))
  }

  /// The sync that `nextSync` asked for has ended; `error` is nil when it worked.
  package func syncFinished(_ request: SyncRequest, _ error: SystemError?) {
    guard let pending = pendingSync, pending.request == request else { return }
    pendingSync = nil
    syncDelay.succeed()
    if let error, !options.defects.contains(.retriesSync) { return failed(pending.kind, error) }
    if error != nil { return }
    hasSynced = true
    switch pending.kind {
    case .cursor(let entries): cursorIsDurable(entries)
    case .header(let segment):
      segment.state = .open
      recover()
      if recovery.unreadFiles.isEmpty {
        cuts.removeAll { cut in !segments.contains { $0.generation == cut.generation } }
      }
    case .records(let segment, let end, let lastTicket):
      segment.durableEnd = max(segment.durableEnd, end)
      if segment.durableEnd == segment.end { segment.oldestUndurable = nil }
      durableTicket = max(durableTicket, lastTicket)
      writeTimer.succeed()
      failedFiles[segment.name] = nil
    case .footer(let segment):
      segment.hasFooter = true
      seal(segment)
    }
  }

  /// The sync that `nextSync` asked for could not be begun (no descriptor, no memory): nothing is known to have failed,
  /// and the same is asked for again later.
  package func syncPostponed(_ request: SyncRequest) {
    guard let pending = pendingSync, pending.request == request else { return }
    pendingSync = nil
    syncDelay.fail(now: now)
    if case .footer(let segment) = pending.kind { segment.state = .closing }
  }

  private func failed(_ kind: PendingSync, _ error: SystemError) {
    switch kind {
    case .cursor: return cursorFailed(error)
    case .header(let segment):
      noteFailure(of: segment.name, error)
      if spare === segment { dropSpare() }
    case .footer(let segment):
      noteFailure(of: segment.name, error)
      segment.isBad = true
      seal(segment)
    case .records(let segment, _, _):
      noteFailure(of: segment.name, error)
      segment.isBad = true
      voidUndurable(from: segment)
    }
    if error.isFinal || !storage.isPresent { return degrade(error) }
    if degradation == nil { prepareSpare() }
  }

  /// Records whose sync failed, and all behind them, are void: they are cut off here and, by a note in the next header,
  /// on disk. The ordinals of those that are not finished are given out again.
  private func voidUndurable(from failed: Segment) {
    for segment in segments where segment.generation >= failed.generation && segment.state != .sealed {
      guard segment.durableEnd < segment.end || segment === failed else { continue }
      cuts.append(Cut(generation: segment.generation, offset: segment.durableEnd))
      segment.cut(at: segment.durableEnd)
      // No footer: it could not vouch for what lies behind the cut.
      seal(segment)
    }
    current = nil
    hasVoidMarks = true
    // Its header does not know of the cuts.
    dropSpare()
    for number in streams.keys { forgetVoid(number) }
    events.append(.rewrite(after: durableTicket))
  }

  private func forgetVoid(_ number: UInt16) {
    guard var stream = streams[number] else { return }
    let kept = segments.compactMap { $0.summary(of: number)?.last } + [stream.floor]
    stream.last = kept.max { $0.key < $1.key } ?? .start
    // Void records that are finished keep their ordinals: the cursor may be durable already.
    stream.last.ordinal = max(stream.last.ordinal, stream.cursor.finished.ordinal)
    streams[number] = stream
  }

  /// The segment is complete. Its index is read again when somebody needs it.
  private func seal(_ segment: Segment) {
    segment.state = .sealed
    segment.oldestUndurable = nil
    if current === segment { current = nil }
    touch(segment)
  }

  /// Syncs on the calling thread what `nextSync` gave.
  package func performSync(_ request: SyncRequest) {
    do throws(SystemError) {
      try storage.sync(request.file)
      syncFinished(request, nil)
    } catch { syncFinished(request, error) }
  }

  /// Syncs everything on the calling thread; `false` when something is still not durable.
  @discardableResult
  package func flush(now: MonotonicTime) -> Bool {
    while let request = nextSync(now: now, flush: true) { performSync(request) }
    return durableTicket == lastTicket && degradation == nil
  }
}

extension Storage {
  func writeFooter(_ footer: Footer, to file: FileNumber) throws(SystemError) {
    try writeAll(bytes: footer.index, to: file, at: footer.trailer.dataEnd)
    try writeAll(bytes: footer.summaryAndTrailer, to: file, at: footer.trailer.summaryOffset)
  }
}
