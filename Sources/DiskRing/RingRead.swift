import Posix

// Reading: by stream and in order, from the page cache as a rule. Every byte is verified against its checksum on the way.

extension Ring {
  /// The stream's next record behind `mark`: at first `cursor(of:).finished`, then the mark of the record before.
  /// Also finds records that are not durable yet.
  package func next(in stream: StreamID, after mark: Mark) -> NextRecord {
    var gap = ReadGap()
    var (ordinal, last) = (mark.ordinal, mark)
    for place in firstSegment(of: stream.number, behind: mark.key)..<segments.endIndex {
      let segment = segments[place]
      guard let summary = segment.summary(of: stream.number), summary.last.key > mark.key else { continue }
      // Also when the index is only needed to tell what is missing in front: what is held is not told as a gap.
      guard let index = index(of: segment) else { return .held }
      for entry in index.entries(of: stream.number, after: mark.key) {
        add(missing: ordinal, entry.mark.ordinal, in: stream, to: &gap)
        (ordinal, last) = (entry.mark.ordinal, entry.mark)
        if gap.count == 0 || entry.isKeyframe {
          return .record(entry.record(generation: segment.generation), gap: gap.count == 0 ? nil : gap)
        }
        gap.skipped += 1
      }
    }
    guard let state = streams[stream.number] else { return .end(gap: nil, mark: mark) }
    let end = max(state.last.ordinal, state.cursor.evictedThrough.ordinal)
    if end > ordinal { add(missing: ordinal, end + 1, in: stream, to: &gap) }
    if gap.count == 0 { return .end(gap: nil, mark: last) }
    return .end(gap: gap, mark: Mark(key: max(last.key, state.last.key), ordinal: max(ordinal, end)))
  }

  /// All records of a stream behind `key`, also those that cannot be decoded because one before them is missing. Reads
  /// the index of every segment: for inspection, not for sending.
  package func records(of stream: StreamID, after key: RecordKey = .zero) -> [StoredRecord] {
    segments.filter { $0.summary(of: stream.number).map { $0.last.key > key } ?? false }.flatMap { segment in
      (index(of: segment)?.entries(of: stream.number, after: key) ?? []).map {
        $0.record(generation: segment.generation)
      }
    }
  }

  /// Adds the records between two ordinals, both there, to what is missing.
  private func add(missing before: UInt64, _ after: UInt64, in stream: StreamID, to gap: inout ReadGap) {
    guard after > before + 1 else { return }
    let evictedThrough = streams[stream.number]?.cursor.evictedThrough.ordinal ?? 0
    let evicted = min(after - 1, max(evictedThrough, before)) - before
    gap.evicted += evicted
    gap.damaged += after - before - 1 - evicted
  }

  /// The bytes of a record.
  package func read(_ record: StoredRecord) -> ReadResult {
    guard let segment = segments.segment(of: record.generation),
      !segment.lostOffsets.contains(record.offset)
    else { return .gone }
    let bodyByteCount = record.metadataByteCount + record.payloadByteCount
    let byteCount = RecordHeader.byteCount + bodyByteCount
    guard record.offset + byteCount <= segment.byteCount else {
      return lose(record, in: segment, UnsafeRawBufferPointer(start: nil, count: 0))
    }
    if let timer = segment.heldRecords[record.offset], !timer.isDue(now) { return .held }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
    let bytes = RecordBytes(
      adopting: memory, bodyOffset: RecordHeader.byteCount, metadataByteCount: record.metadataByteCount,
      payloadByteCount: record.payloadByteCount)
    var count = 0
    do throws(SystemError) {
      let file = try openFile(of: segment)
      for isLast in [false, true] {
        count = try storage.readAll(file, into: memory, at: record.offset)
        if count == byteCount, isSound(UnsafeRawBufferPointer(memory), record, in: segment) {
          touch(segment)
          release(record, in: segment)
          return .bytes(bytes)
        }
        if !isLast { storage.forgetCached(file, at: record.offset, byteCount: byteCount) }
      }
    } catch {
      if options.defects.contains(.errorIsDamage) {
        return lose(record, in: segment, UnsafeRawBufferPointer(rebasing: memory[..<0]))
      }
      return hold(record, in: segment, error)
    }
    touch(segment)
    release(record, in: segment)
    return lose(record, in: segment, UnsafeRawBufferPointer(rebasing: memory[..<count]))
  }

  private func isSound(_ bytes: UnsafeRawBufferPointer, _ record: StoredRecord, in segment: Segment) -> Bool {
    if options.defects.contains(.noVerification) { return true }
    guard let header = RecordHeader.decode(bytes, salt: segment.salt, offset: record.offset),
      header.kind == .frame, header.stream == record.stream.number, header.mark.key == record.mark.key,
      header.metadataByteCount == record.metadataByteCount, header.payloadByteCount == record.payloadByteCount
    else { return false }
    let body = UnsafeRawBufferPointer(rebasing: bytes[RecordHeader.byteCount...])
    let seed = RecordHeader.seed(salt: segment.salt, offset: record.offset)
    return Checksum.of(body, seed: seed) == header.bodyChecksum
  }

  /// Takes a damaged record out; the ordinals around it count it.
  func lose(_ record: StoredRecord, in segment: Segment, _ bytes: UnsafeRawBufferPointer) -> ReadResult {
    damagedKeeper.keep(bytes, generation: segment.generation, offset: record.offset)
    segment.lostOffsets.insert(record.offset)
    // Its ordinal is not given again.
    if record.offset < segment.durableEnd, let floor = streams[record.stream.number]?.floor {
      streams[record.stream.number]?.floor = floor.merged(with: record.mark)
    }
    segment.index?.remove { $0.offset == record.offset }
    events.append(.damaged(record.stream, record.key))
    return .damaged
  }

  // MARK: Indexes

  /// What is in a segment, from memory or from its footer; scanned when that is damaged. nil while it cannot be read.
  func index(of segment: Segment) -> SegmentIndex? {
    if let index = segment.index {
      touch(segment)
      return index
    }
    guard segment.readTimer.isDue(now) else { return nil }
    var index = SegmentIndex()
    do throws(SystemError) {
      if let stored = try storedIndex(of: segment) { index = stored } else { index = try scannedIndex(of: segment) }
    } catch {
      if !options.defects.contains(.errorIsDamage) {
        hold(segment, error)
        return nil
      }
    }
    release(segment)
    // The sums decided what the ring takes for its newest records: nothing may lie outside of them.
    let sums = segment.summaries
    index.remove { entry in
      let isInside = sums[entry.stream].map { $0.first.key <= entry.mark.key && entry.mark.key <= $0.last.key } ?? false
      return !isInside || segment.lostOffsets.contains(entry.offset)
    }
    segment.index = index
    touch(segment)
    return index
  }

  func storedIndex(of segment: Segment) throws(SystemError) -> SegmentIndex? {
    try storage.index(of: segment, openFile(of: segment))
  }

  private func scannedIndex(of segment: Segment) throws(SystemError) -> SegmentIndex {
    let window = SegmentWindow(storage, try openFile(of: segment), byteCount: segment.end)
    let scan = SegmentScanner(window: window, file: segment.name, salt: segment.salt, dataStart: segment.dataStart)
      .scan()
    if let error = window.error { throw error }
    return scan.index
  }

  /// Keeps the indexes and descriptors of the last few sealed segments that were read, and lets go of the others.
  func touch(_ segment: Segment) {
    guard segment.state == .sealed, recentlyRead.last !== segment else { return }
    recentlyRead.removeAll { $0 === segment }
    recentlyRead.append(segment)
    if recentlyRead.count > Ring.openSegmentLimit {
      let oldest = recentlyRead.removeFirst()
      oldest.index = nil
      closeFile(of: oldest)
    }
  }

  /// So many sealed segments have their index in memory.
  static let openSegmentLimit = 4

  // MARK: Inventory

  /// What is not finished, by stream.
  package var inventory: [StreamInventory] {
    var inventories = streams.mapValues { stream in
      var inventory = StreamInventory(stream: StreamID(number: stream.number), description: stream.description)
      (inventory.cursor, inventory.last) = (stream.cursor, stream.last)
      return inventory
    }
    for segment in segments {
      segment.forEachSummary { number, summary in
        let finished = finishedKey(number)
        guard summary.last.key > finished else { return }
        inventories[number]?.add(
          summary, finished < summary.first.key ? nil : rest(of: segment, number, after: finished))
      }
    }
    return inventories.values.sorted { $0.stream < $1.stream }
  }

  /// The records of a segment that are not finished; nil when that is not known, as it cannot be read for now.
  private func rest(of segment: Segment, _ stream: UInt16, after key: RecordKey) -> ArraySlice<IndexEntry>? {
    index(of: segment)?.entries(of: stream, after: key)
  }
}

extension StreamInventory {
  /// Adds what a segment has of the stream: all of `summary`, or only the rest of it.
  fileprivate mutating func add(_ summary: StreamSummary, _ rest: ArraySlice<IndexEntry>?) {
    guard let rest else {
      return add(summary.recordCount, summary.payloadByteCount, summary.firstTime, summary.lastTime)
    }
    guard let first = rest.first, let last = rest.last else { return }
    let byteCount = rest.reduce(0) { $0 + UInt64($1.payloadByteCount) }
    add(UInt64(rest.count), byteCount, first.captureTime, last.captureTime)
  }

  mutating func add(_ records: UInt64, _ byteCount: UInt64, _ firstTime: Int64, _ lastTime: Int64) {
    recordCount += records
    payloadByteCount += byteCount
    self.firstTime = self.firstTime ?? firstTime
    self.lastTime = lastTime
  }
}

extension Storage {
  /// What the footer of a segment lists; nil when there is none that is sound.
  func index(of segment: Segment, _ file: FileNumber) throws(SystemError) -> SegmentIndex? {
    guard let trailer = try trailer(of: segment, file) else { return nil }
    return try decoded(file, at: trailer.dataEnd, byteCount: trailer.indexByteCount) {
      Footer.decodeIndex($0, trailer)
    }
  }

  /// The segment's own trailer; nil when there is none that is sound.
  func trailer(of segment: Segment, _ file: FileNumber) throws(SystemError) -> Trailer? {
    let found = try decoded(file, at: segment.byteCount - Trailer.byteCount, byteCount: Trailer.byteCount) {
      Trailer.decode($0, fileByteCount: segment.byteCount)
    }
    return found.flatMap { $0.identity == segment.identity ? $0 : nil }
  }
}
