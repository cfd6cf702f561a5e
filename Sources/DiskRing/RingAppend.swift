import Glibc
import Posix

// Writing: records, new segments, evictions. A record is written into `current`; when that is half full the next segment
// is prepared, because its header must be durable before the first record in it.

extension Ring {
  /// Writes a record behind all others of its stream. `payload` is written as if its pieces were one. Does not wait for
  /// the disk beyond what pwritev(2) does.
  package func append(_ record: NewRecord, payload: [UnsafeRawBufferPointer], now: MonotonicTime) -> AppendResult {
    guard let stream = streams[record.stream.number] else { preconditionFailure("the stream was not registered") }
    if degradation != nil || storage.isReadOnly { return .degraded }
    let mark = Mark(key: record.key, ordinal: nextOrdinal(of: stream))
    // Beyond the limit it would not be read back.
    guard record.key > stream.last.key, mark.ordinal < numberLimit else { return .outOfOrder }
    let payloadByteCount = payload.reduce(0) { $0 + $1.count }
    let recordByteCount = RecordHeader.recordByteCount(body: record.metadata.count + payloadByteCount)
    // What is below a quarter always fits: headers and footer of an empty segment never take that much.
    if recordByteCount > segmentByteCount / 4, recordByteCount > largestRecord { return .oversize }
    if waitsForCursor(stream, now: now) { return .notNow }
    guard let segment = segment(for: record.stream.number, recordByteCount, now: now) else {
      return degradation == nil ? .notNow : .degraded
    }
    var header = RecordHeader(
      kind: .frame, stream: record.stream.number, isKeyframe: record.isKeyframe,
      metadataByteCount: record.metadata.count, payloadByteCount: payloadByteCount, mark: mark,
      captureTime: record.captureTime, bodyChecksum: 0)
    let offset = segment.end
    let failure = record.metadata.withUnsafeBytes { write(&header, $0, payload, to: segment) }
    if let failure {
      retire(segment, failure)
      return degradation == nil ? .notNow : .degraded
    }
    let entry = IndexEntry(header, offset: offset)
    segment.add(entry)
    lastTicket += 1
    segment.lastTicket = lastTicket
    if segment.oldestUndurable == nil { segment.oldestUndurable = now }
    streams[record.stream.number]?.last = mark
    if segment.end - segment.dataStart > segmentByteCount / 2, spare == nil { prepareSpare() }
    return .written(entry.record(generation: segment.generation), lastTicket)
  }

  /// What fits into an empty segment.
  package var largestRecord: Int {
    let table = tableEntries.reduce(64 + 16 * (cuts.count + 8)) { $0 + $1.byteCount }
    let headers = 2 * table.roundedUp(to: SegmentHeader.alignment)
    return segmentByteCount - headers - Footer.byteCount(entries: 1, streams: 1) - 8
  }

  private func nextOrdinal(of stream: Stream) -> UInt64 {
    max(stream.last.ordinal, stream.cursor.evictedThrough.ordinal) + 1
  }

  /// The segment that takes the next record; nil while there is none.
  private func segment(for stream: UInt16, _ recordByteCount: Int, now: MonotonicTime) -> Segment? {
    if let current {
      if let room = roomed(current, stream, recordByteCount, now: now) { return room }
      if current.state == .open { current.state = .closing }
      self.current = nil
    }
    guard let spare else {
      prepareSpare()
      return nil
    }
    guard spare.state == .open || options.defects.contains(.recordsBeforeHeader) else { return nil }
    // Only now is what the file held let go.
    if let spareHolds { evict(spareHolds, isLate: true) }
    segments.append(spare)
    (current, self.spare, spareHolds) = (spare, nil, nil)
    return roomed(spare, stream, recordByteCount, now: now)
  }

  /// `segment`, in which all streams are declared by now; nil when it has no room.
  private func roomed(_ segment: Segment, _ stream: UInt16, _ recordByteCount: Int, now: MonotonicTime) -> Segment? {
    var declarations: [[UInt8]] = []
    let missing =
      segment.declared.count < streams.count ? tableEntries.filter { !segment.declared.contains($0.number) } : []
    for entry in missing {
      var writer = ByteWriter()
      entry.encode(into: &writer)
      // Twice: without its name a stream's records are worth nothing, and one may rot.
      declarations += [writer.bytes, writer.bytes]
    }
    let added = declarations.reduce(0) { $0 + RecordHeader.recordByteCount(body: $1.count) }
    guard segment.hasRoom(byteCount: added + recordByteCount, entries: 1, stream: stream) else { return nil }
    for body in declarations {
      var header = RecordHeader(
        kind: .declaration, stream: 0, isKeyframe: false, metadataByteCount: body.count, payloadByteCount: 0,
        mark: .start, captureTime: 0, bodyChecksum: 0)
      if let failure = body.withUnsafeBytes({ write(&header, $0, [], to: segment) }) {
        retire(segment, failure)
        return nil
      }
    }
    if !missing.isEmpty, segment.oldestUndurable == nil { segment.oldestUndurable = now }
    segment.declared.formUnion(missing.map(\.number))
    return segment
  }

  /// Writes a record at the end of a segment; nil when that worked.
  private func write(
    _ header: inout RecordHeader, _ metadata: UnsafeRawBufferPointer, _ payload: [UnsafeRawBufferPointer],
    to segment: Segment
  ) -> SystemError? {
    let seed = RecordHeader.seed(salt: segment.salt, offset: segment.end)
    let padding = header.recordByteCount - RecordHeader.byteCount - header.bodyByteCount
    // One array, header first: this is done for every frame.
    var pieces: [UnsafeRawBufferPointer] = []
    pieces.reserveCapacity(payload.count + 3)
    pieces.append(UnsafeRawBufferPointer(rebasing: headerMemory[..<RecordHeader.byteCount]))
    if !metadata.isEmpty { pieces.append(metadata) }
    for piece in payload where !piece.isEmpty { pieces.append(piece) }
    header.bodyChecksum = checksums.checksum(of: pieces.dropFirst(), seed: seed)
    header.encode(into: headerMemory, salt: segment.salt, offset: segment.end)
    if padding > 0 {
      let zeros = headerMemory[RecordHeader.byteCount..<(RecordHeader.byteCount + padding)]
      pieces.append(UnsafeRawBufferPointer(rebasing: zeros))
    }
    do throws(SystemError) {
      try storage.writeAll(pieces, to: openFile(of: segment), at: segment.end)
    } catch { return error }
    segment.end += header.recordByteCount
    return nil
  }

  // MARK: Segments

  /// Starts to prepare the next segment: chooses a file, writes a new header into it. It can be used when that is
  /// durable. What the file holds stays in the ring until the first record goes into the new segment: a disk that takes
  /// no writes, or does not sync, keeps what it has.
  func prepareSpare() {
    if !provisional.isEmpty { return }
    guard storage.isPresent else { return degrade(SystemError(code: ENOENT, operation: "the ring's directory")) }
    while spare == nil, writeTimer.failureCount < Ring.patience || writeTimer.isDue(now) {
      let headerEnd = 2 * SegmentHeader(identity: identity(""), cuts: cuts, streams: tableEntries).encoded().count
      guard let (name, held) = reclaimableFile(headerEnd: headerEnd) else { break }
      // Also a header that could not be written may be there after a crash: its generation is used up.
      let segment = newSegment(name)
      nextGeneration += 1
      do throws(SystemError) {
        let copy = SegmentHeader(
          identity: segment.identity, cuts: cuts, streams: tableEntries.map { $0.losing(held) }
        ).encoded()
        try storage.writeAll(bytes: copy + copy, to: openFile(of: segment), at: 0)
      } catch {
        closeFile(of: segment)
        noteFailure(of: name, error)
        if error.isFinal { return degrade(error) }
        continue
      }
      (spare, spareHolds) = (segment, held)
      freeFiles.removeAll { $0 == name }
      if let held, !keeps(held, headerEnd: headerEnd) || options.defects.contains(.evictsEarly) {
        evict(held)
        spareHolds = nil
      }
    }
    if spare == nil, current == nil, segments.busy.isEmpty { degrade(lastWriteError) }
  }

  /// So many failures in a row are met with another file at once; after that, intervals grow.
  static let patience = 3

  /// Whether a segment can be read, after a crash too, when a header that long lies over its own.
  private func keeps(_ segment: Segment, headerEnd: Int) -> Bool {
    segment.hasFooter && !segment.isBad && segment.dataStart >= headerEnd
  }

  /// The file of the spare is as free, or as much in use, as it was before.
  func dropSpare() {
    guard let spare else { return }
    closeFile(of: spare)
    if spareHolds == nil { freeFiles.append(spare.name) }
    (self.spare, spareHolds) = (nil, nil)
  }

  private func identity(_ name: String) -> SegmentIdentity {
    SegmentIdentity(
      ringID: id, generation: nextGeneration, slot: Segment.slot(ofFile: name) ?? 0,
      segmentByteCount: UInt32(segmentByteCount), epoch: epoch)
  }

  private func newSegment(_ name: String) -> Segment {
    let identity = identity(name)
    let header = SegmentHeader(identity: identity, cuts: cuts, streams: tableEntries)
    let segment = Segment(
      name: name, identity: identity, dataStart: 2 * header.encoded().count, state: .preparing,
      salt: identity.salt(options.defects))
    segment.index = SegmentIndex()
    segment.declared = Set(streams.keys)
    return segment
  }

  /// A file that may be overwritten: one that holds nothing, else that of the oldest segment with nothing unfinished,
  /// else that of the oldest, which makes room as a whole. Files that have failed come later.
  private func reclaimableFile(headerEnd: Int) -> (name: String, holds: Segment?)? {
    if failedFiles.isEmpty, let name = freeFiles.first { return (name, nil) }
    var best: (rank: (Int, Int, Int), name: String, holds: Segment?)?
    for name in freeFiles {
      let rank = rank(of: name, holding: 0)
      if best.map({ rank < $0.rank }) ?? true { best = (rank, name, nil) }
    }
    for segment in segments where segment.state == .sealed {
      let failures = failedFiles.isEmpty ? nil : failedFiles[segment.name]
      if segment.isBad, failures == nil { continue }
      let isFinished = segment.isFinished(finishedKey)
      let holding = isFinished ? 1 : keeps(segment, headerEnd: headerEnd) ? 2 : 3
      // What a header that is not durable would cost: one between two syncs that work.
      if holding == 3, !hasSynced, degradation == nil { continue }
      let rank = rank(of: segment.name, holding: holding)
      if best.map({ rank < $0.rank }) ?? true { best = (rank, segment.name, segment) }
      if failedFiles.isEmpty, isFinished { break }
    }
    return best.map { ($0.name, $0.holds) }
  }

  /// The least is taken first. `holding`: 0 nothing, 1 nothing unfinished, 2 what a header that is not durable leaves as
  /// it is, 3 what that would cost. As long as nothing can be written, few files are touched again and again, and one
  /// more only when each of them has failed as often as there are of them.
  private func rank(of name: String, holding: Int) -> (Int, Int, Int) {
    guard !failedFiles.isEmpty else { return (0, holding, 0) }
    let failures = failedFiles[name] ?? 0
    if holding == 3, writeTimer.hasFailed { return (.max, holding, failures) }
    let (count, fewest) = (failedFiles.count, failedFiles.values.min() ?? 0)
    if writeTimer.failureCount >= Ring.patience, count >= Ring.patience, fewest < count {
      return (failures == 0 ? .max : failures, holding, 0)
    }
    return (failures > 1 ? failures : 0, holding, failures)
  }

  /// Takes a segment out of the ring and tells what was lost with it. `isLate`: more may be finished than when the header
  /// was written that takes its place.
  func evict(_ segment: Segment, isLate: Bool = false) {
    for (stream, summary) in segment.summaries.sorted(by: { $0.key < $1.key }) {
      let finished = finishedKey(stream)
      if var state = streams[stream] {
        let durable = state.durableCursor?.finished.key ?? .zero
        // A crash may forget that it was finished.
        if isLate, durable < min(finished, summary.last.key) {
          let first = max(durable, summary.first.key)
          events.append(.evicted(StreamID(number: stream), count: 0, first: first, last: summary.last.key))
        }
        state.cursor.evictedThrough = state.cursor.evictedThrough.merged(with: summary.last)
        state.floor = state.floor.merged(with: summary.last)
        streams[stream] = state
      }
      guard summary.last.key > finished else { continue }
      var (count, first) = (summary.recordCount, summary.first.key)
      if summary.first.key <= finished {
        if let rest = index(of: segment)?.entries(of: stream, after: finished) {
          (count, first) = (UInt64(rest.count), rest.first?.mark.key ?? summary.last.key)
        } else {
          // Cannot be read: the ordinals say how many there were.
          let start = max(cursor(of: StreamID(number: stream)).finished.ordinal, summary.first.ordinal - 1)
          count = summary.last.ordinal - min(start, summary.last.ordinal)
        }
      }
      events.append(.evicted(StreamID(number: stream), count: count, first: first, last: summary.last.key))
      hasSynced = false
    }
    segments.remove(segment)
    heldSegments.removeAll { $0 === segment }
    recentlyRead.removeAll { $0 === segment }
    closeFile(of: segment)
  }

  /// A write failed: the segment takes no more records. What is in it is made durable if that still works.
  func retire(_ segment: Segment, _ error: SystemError) {
    noteFailure(of: segment.name, error)
    segment.isBad = true
    if segment.state == .open { segment.state = .closing }
    if current === segment { current = nil }
    if error.isFinal || !storage.isPresent { return degrade(error) }
    prepareSpare()
  }

  func openFile(of segment: Segment) throws(SystemError) -> FileNumber {
    if let file = segment.file { return file }
    let file = try storage.open(segment.name, creating: false)
    segment.file = file
    return file
  }

  func closeFile(of segment: Segment) {
    if let file = segment.file { storage.close(file) }
    segment.file = nil
  }
}

extension SystemError {
  /// Whether no other file would fare better.
  var isFinal: Bool { code == EROFS || code == ENODEV || code == ENOENT }
}

extension StreamTableEntry {
  /// What it says once a segment is evicted.
  func losing(_ segment: Segment?) -> StreamTableEntry {
    guard let last = segment?.summary(of: number)?.last else { return self }
    var entry = self
    entry.cursor.evictedThrough = entry.cursor.evictedThrough.merged(with: last)
    return entry
  }
}
