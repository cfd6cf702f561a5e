import Glibc
import Posix

// The second half of opening: the ring as an object, and on a writable storage the repairs.

extension RingOpening {
  mutating func repairAndBuild() throws(RingError) -> Ring {
    var cursors: [UInt64: CursorEntry] = [:]
    var cursorTurn: UInt64 = 0
    do throws(SystemError) { cursors = try readCursor(turn: &cursorTurn) } catch { throw RingError.opening(error) }
    claim(&cursors)
    let block: Superblock
    if storage.isReadOnly {
      if report.isNew { throw RingError(.noRing, "there is no ring in this directory") }
      block = superblock ?? Superblock(epoch: highestEpoch, byteCount: 0, segmentByteCount: segmentByteCount)
    } else {
      block = try repair()
    }
    report.segmentCount = segments.count + freeFiles.count + report.unreadFiles.count
    // What was not read may be newer than all that was.
    if !report.unreadFiles.isEmpty { highestGeneration = generationBehindAll(of: block.epoch) }
    let ring = Ring(storage: storage, options: options, id: ringID, superblock: block, recovery: report)
    if let last = scanned.last, last.takesRecords, !storage.isReadOnly, !last.segment.isBad {
      last.segment.state = .open
      ring.current = last.segment
    }
    (ring.segments, ring.freeFiles, ring.cuts) = (SegmentList(segments), freeFiles, cuts)
    (ring.streams, ring.unclaimedCursors) = (streams, cursors)
    ring.forgettable = forgettableStreams
    (ring.cursor.durableTurn, ring.cursor.hasDamagedSlot) = (cursorTurn, hasDamagedCursorSlot)
    ring.previousEpoch = highestEpoch
    ring.nextGeneration = highestGeneration + 1
    for segment in segments where segment.state == .sealed && segment.index != nil { ring.touch(segment) }
    ring.lookAtAllSegments()
    if !storage.isReadOnly {
      ring.secureCursor()
      try ring.shrink(to: block)
    }
    return ring
  }

  /// The cursor's entries by hash.
  private mutating func readCursor(turn: inout UInt64) throws(SystemError) -> [UInt64: CursorEntry] {
    let isThere = try storage.list().contains { $0.name == CursorFile.fileName }
    let probe = try SlotProbe(storage, CursorFile.fileName, magic: CursorFile.magic, isThere: isThere, options)
    let slot = probe.newest(ringID: ringID)
    var recoveryCase = probe.recoveryCase
    // A ring of which nothing was ever finished has a cursor that was never written.
    if slot == nil, recoveryCase != .slotsBlank || !(isThere || report.isNew || segments.isEmpty) {
      recoveryCase = .slotsLost
    }
    report.add(RecoveryFinding(recoveryCase, file: CursorFile.fileName))
    turn = slot?.turn ?? 0
    hasDamagedCursorSlot = recoveryCase == .slotDamaged
    return slot.flatMap { CursorFile.decode($0.content) } ?? [:]
  }

  /// Gives the streams their cursors.
  private mutating func claim(_ cursors: inout [UInt64: CursorEntry]) {
    for (number, stream) in streams {
      var stream = stream
      if let entry = cursors.removeValue(forKey: stream.description.hash) {
        stream.durableCursor = entry
        stream.cursor = stream.cursor.merged(with: entry)
      }
      stream.last = stream.last.merged(with: stream.cursor.finished).merged(with: stream.cursor.evictedThrough)
      stream.floor = stream.last
      highestEpoch = max(highestEpoch, stream.last.key.epoch)
      streams[number] = stream
    }
    for entry in cursors.values { highestEpoch = max(highestEpoch, entry.finished.key.epoch) }
  }

  // MARK: Repairs

  private mutating func repair() throws(RingError) -> Superblock {
    let highest = max(highestEpoch, highestGeneration)
    guard highest < numberLimit - numberReserve else {
      throw RingError(
        .forged,
        "the ring's epochs or generations are near their end, which they cannot be (\(highest)); move its files away")
    }
    do throws(SystemError) {
      try renameForeign()
      try renameStrays()
      try emptyFinishedSegments()
      let count = try makeFiles()
      keepDamaged()
      mendCopies()
      for (segment, takesRecords) in scanned where !segment.isBad { complete(segment, takesRecords: takesRecords) }
      if !options.defects.contains(.noDirectorySync) { try storage.syncDirectory() }
      return try writeSuperblock(segmentCount: count)
    } catch { throw (pendingError ?? RingError.opening(error)) }
  }

  /// More than files that were not read can have. It grows with the epoch alone, which is known whatever can be read and
  /// which every opening raises; no disk takes 2^16 segments in a second of the clock.
  private func generationBehindAll(of epoch: UInt64) -> UInt64 {
    max(highestGeneration, min(epoch, numberLimit >> 16 - 1 << 20) << 16)
  }

  /// Sets segments of other rings aside, each under a name of its own.
  private func renameForeign() throws(SystemError) {
    if foreignFiles.isEmpty { return }
    var used = Set(try storage.list().map(\.name))
    for name in foreignFiles {
      let names = (1...).lazy.map { name + ($0 == 1 ? "" : ".\($0)") + RingOpening.foreignSuffix }
      guard let unused = names.first(where: { !used.contains($0) }) else { continue }
      try storage.rename(name, to: unused)
      used.insert(unused)
    }
  }

  private mutating func renameStrays() throws(SystemError) {
    for segment in segments where Segment.slot(ofFile: segment.name) == nil {
      let name = unusedName()
      try storage.rename(segment.name, to: name)
      replace(segment, name: name)
    }
  }

  private mutating func replace(_ segment: Segment, name: String) {
    let renamed = Segment(
      name: name, identity: segment.identity, dataStart: segment.dataStart, state: segment.state, salt: segment.salt)
    (renamed.end, renamed.durableEnd, renamed.index) = (segment.end, segment.durableEnd, segment.index)
    (renamed.summaries, renamed.declared, renamed.lostOffsets) = (
      segment.summaries, segment.declared, segment.lostOffsets
    )
    (renamed.isBad, renamed.hasFooter) = (segment.isBad, segment.hasFooter)
    segments = segments.map { $0 === segment ? renamed : $0 }
    scanned = scanned.map { $0.segment === segment ? (renamed, $0.takesRecords) : $0 }
    damaged = damaged.map { $0.segment === segment ? (renamed, $0.finding) : $0 }
  }

  private func unusedName() -> String { unusedNames(1)[0] }

  /// Names of segments that do not exist yet.
  private func unusedNames(_ count: Int) -> [String] {
    let used = Set(segments.map(\.name) + freeFiles + report.unreadFiles)
    let unused = (0...UInt32.max).lazy.map { Segment.fileName(slot: $0) }.filter { !used.contains($0) }
    return Array(unused.prefix(count))
  }

  /// Makes the files that are missing to the wanted size; returns how many there are to be.
  private mutating func makeFiles() throws(SystemError) -> Int {
    let existing = segments.count + freeFiles.count + report.unreadFiles.count
    if let superblock, superblock.segmentByteCount > 0 {
      let before = (superblock.byteCount - RingOpening.overhead) / superblock.segmentByteCount
      report.addMissing(before - existing)
    }
    for name in freeFiles { try resize(name) }
    let wanted = try wantedSegmentCount(existing: existing)
    if wanted > existing { try checkRoom(for: wanted - existing, existing: existing) }
    try makeSmallFiles()
    var count = existing
    for name in unusedNames(max(0, wanted - existing)) {
      do throws(SystemError) { try make(name, byteCount: segmentByteCount) } catch {
        if options.defects.contains(.forgetsUnread) { try? storage.unlink(name) }
        // Something is there that was not listed.
        if error.code == EEXIST { continue }
        if count >= RingOpening.fewestSegments, !report.isNew {
          report.failures.append(error)
          break
        }
        if report.isNew { for name in madeFiles { try? storage.unlink(name) } }
        throw error
      }
      madeFiles.append(name)
      freeFiles.append(name)
      count += 1
    }
    return min(count, wanted)
  }

  /// Superblock and cursor.
  private func makeSmallFiles() throws(SystemError) {
    for name in [Superblock.fileName, CursorFile.fileName] {
      if try storage.list().contains(where: { $0.name == name && $0.byteCount >= DoubleSlot.fileByteCount }) {
        continue
      }
      if try storage.list().contains(where: { $0.name == name }) {
        try resize(name, byteCount: DoubleSlot.fileByteCount)
      } else {
        try make(name, byteCount: DoubleSlot.fileByteCount)
      }
    }
  }

  private func make(_ name: String, byteCount: Int) throws(SystemError) {
    // Only what was made here is removed again.
    let file = try storage.open(name, creating: true)
    defer { storage.close(file) }
    do throws(SystemError) {
      try storage.allocate(file, byteCount: byteCount)
      try storage.sync(file)
    } catch {
      try? storage.unlink(name)
      throw error
    }
  }

  /// Gives a file the size of a segment, its blocks included.
  private func resize(_ name: String, byteCount: Int? = nil) throws(SystemError) {
    let wanted = byteCount ?? segmentByteCount
    let file = try storage.open(name, creating: false)
    defer { storage.close(file) }
    if try storage.byteCount(of: file) == wanted { return }
    try storage.truncate(file, byteCount: wanted)
    try storage.allocate(file, byteCount: wanted)
    try storage.sync(file)
  }

  private mutating func wantedSegmentCount(existing: Int) throws(SystemError) -> Int {
    var byteCount: Int
    switch options.size {
    case .bytes(let wanted): byteCount = wanted
    case .auto:
      let free = try storage.freeByteCount()
      byteCount = superblock?.byteCount ?? (free + existing * segmentByteCount) / 10 * 9
    }
    let count = (byteCount - RingOpening.overhead) / segmentByteCount
    if count < RingOpening.fewestSegments {
      pendingError = RingError(
        .tooSmall,
        "a ring of \(byteCount >> 20) MiB has no room for \(RingOpening.fewestSegments) segments of "
          + "\(segmentByteCount >> 20) MiB; make it larger or the segments smaller")
      throw SystemError(code: EINVAL, operation: "size")
    }
    return count
  }

  private mutating func checkRoom(for count: Int, existing: Int) throws(SystemError) {
    let needed = count * segmentByteCount
    let free = try storage.freeByteCount()
    guard free < needed, report.isNew || existing < RingOpening.fewestSegments else { return }
    let total = try storage.totalByteCount()
    // Filesystems without a size of their own (ramfs) say nothing; allocating will.
    if total == 0 { return }
    let sizes = "needs \(needed >> 20) MiB more, \(free >> 20) MiB are free"
    pendingError =
      total < needed
      ? RingError(
        .largerThanDisk, "the ring's size is more than its whole filesystem (\(total >> 20) MiB); make it smaller")
      : RingError(.diskFull, "no room for the ring: it \(sizes); make it smaller or make room")
    throw SystemError(code: ENOSPC, operation: "size")
  }

  private func keepDamaged() {
    let keeper = DamagedKeeper(storage: storage)
    for (segment, finding) in damaged {
      guard let file = try? storage.open(segment.name, creating: false) else { continue }
      defer { storage.close(file) }
      let count = min(finding.byteCount, DamagedKeeper.byteLimit)
      guard let bytes = try? storage.bytes(of: file, at: finding.offset, byteCount: count) else { continue }
      bytes.withUnsafeBytes { keeper.keep($0, generation: segment.generation, offset: finding.offset) }
    }
  }

  /// Writes the copies of headers again that are damaged or cannot be read; the sound ones are not touched. What fails is
  /// tried again at the next opening.
  private mutating func mendCopies() {
    for (header, offset) in damagedCopies {
      guard let segment = segments.first(where: { $0.identity == header.identity }) else { continue }
      do throws(SystemError) {
        let file = try storage.open(segment.name, creating: false)
        defer { storage.close(file) }
        try storage.writeAll(bytes: header.encoded(), to: file, at: offset)
        try storage.sync(file)
      } catch { report.failures.append(error) }
    }
  }

  /// A scanned segment gets its size back and is made durable (a process that was killed leaves writes that are not);
  /// if it takes no more records, it is sealed.
  private mutating func complete(_ segment: Segment, takesRecords: Bool) {
    do throws(SystemError) {
      try resize(segment.name)
      let file = try storage.open(segment.name, creating: false)
      defer { storage.close(file) }
      try storage.sync(file)
      // What another use of the file has written over was told; the footer still says the rest.
      guard !takesRecords, !mayBeOverwritten(segment), let index = segment.index,
        segment.end + Footer.byteCount(entries: index.count, streams: segment.streamCount) <= segmentByteCount
      else { return }
      let footer = Footer(index, identity: segment.identity, dataStart: segment.dataStart, dataEnd: segment.end)
      segment.hasFooter = false
      try storage.writeFooter(footer, to: file)
      try storage.sync(file)
      segment.hasFooter = true
    } catch {
      segment.isBad = true
      report.failures.append(error)
    }
  }

  /// Begins the new epoch: both slots, one after the other, so that not even rot of one brings the old epoch back.
  private mutating func writeSuperblock(segmentCount: Int) throws(SystemError) -> Superblock {
    // Not only one more: this may be an older copy of a ring whose later epochs were used.
    let ignoresClock = options.defects.contains(.epochIgnoresClock) && superblock != nil
    let epoch = max(highestEpoch + 1, ignoresClock ? 0 : options.minimumEpoch)
    var kept = report.unreadFiles.isEmpty ? [] : superblock?.cuts ?? []
    kept.removeAll { cut in segments.contains { $0.generation == cut.generation } }
    let block = Superblock(
      epoch: epoch, byteCount: RingOpening.overhead + segmentCount * segmentByteCount,
      segmentByteCount: segmentByteCount,
      cuts: kept
        + cuts.compactMap { cut in
          segments.first { $0.generation == cut.generation }.map {
            Superblock.Cut(generation: cut.generation, epoch: $0.identity.epoch, offset: UInt64(cut.offset))
          }
        })
    let file = try storage.open(Superblock.fileName, creating: false)
    defer { storage.close(file) }
    for turn in [superblockTurn + 1, superblockTurn + 2] {
      let bytes = DoubleSlot.encode(magic: Superblock.magic, turn: turn, ringID: ringID, content: block.encoded())
      try storage.writeAll(bytes: bytes, to: file, at: Int(turn % 2) * DoubleSlot.distance)
      if !options.defects.contains(.epochBeforeSync) { try storage.sync(file) }
    }
    let cursor = try storage.open(CursorFile.fileName, creating: false)
    defer { storage.close(cursor) }
    try storage.sync(cursor)
    return block
  }
}

extension Ring {
  /// What only a header says is finished is written down before that header is written over; and a slot that is damaged or
  /// cannot be read is written again, which is always the next one.
  func secureCursor() {
    let isBehind = streams.values.contains { $0.cursor.finished.key > $0.durableCursor?.finished.key ?? .zero }
    guard isBehind || cursor.hasDamagedSlot else { return }
    guard let request = writeCursor(now: MonotonicTime(nanoseconds: .min)) else { return }
    performSync(request)
    (cursor.lastWrite, cursor.durableWrite) = (nil, nil)
  }

  /// Removes files beyond the wanted size: first those that hold nothing, then the oldest. What is lost is in the
  /// durable cursor before the first file goes.
  func shrink(to block: Superblock) throws(RingError) {
    let wanted = (block.byteCount - RingOpening.overhead) / segmentByteCount
    var surplus = segments.count + freeFiles.count + recovery.unreadFiles.count - wanted
    guard surplus > 0 else { return }
    let before = (segments, freeFiles, streams)
    var names: [String] = []
    while surplus > 0 {
      if let free = freeFiles.popLast() {
        names.append(free)
      } else if recovery.unreadFiles.isEmpty, let segment = segments.first(where: { $0 !== current }) {
        evict(segment)
        names.append(segment.name)
      }
      surplus -= 1
    }
    do throws(SystemError) {
      if !streams.isEmpty {
        guard let request = writeCursor(now: MonotonicTime(nanoseconds: .min)) else {
          // Then the ring is too large until the next opening.
          (segments, freeFiles, streams) = before
          events.removeAll { if case .evicted = $0 { true } else { false } }
          return
        }
        try storage.sync(request.file)
        syncFinished(request, nil)
      }
      for name in names { try storage.unlink(name) }
      try storage.syncDirectory()
    } catch { throw RingError.opening(error) }
    (cursor.lastWrite, cursor.durableWrite) = (nil, nil)
  }
}

extension RingError {
  /// What an errno means to somebody who wants to open a ring.
  static func opening(_ error: SystemError) -> RingError {
    switch error.code {
    case ENOENT:
      RingError(.directoryMissing, "the ring's directory is not there; create it or mount its disk", cause: error)
    case ENOTDIR:
      RingError(.directoryMissing, "there is a file where the ring's directory should be; move it away", cause: error)
    case EACCES, EPERM:
      RingError(
        .notWritable, "the ring's directory or a file in it may not be written; give it to this user (chown)",
        cause: error)
    case EROFS: RingError(.readOnlyFilesystem, "the ring's filesystem is read-only; remount it", cause: error)
    case EOPNOTSUPP, ENOSYS:
      RingError(
        .noPreallocation,
        "the filesystem of the ring's directory cannot preallocate; use one that can (ext4, xfs, f2fs, btrfs)",
        cause: error)
    case ENOSPC, EDQUOT:
      RingError(.diskFull, "no room for the ring; make it smaller or make room", cause: error)
    default: RingError(.device, "the ring's disk failed; look at the kernel's log", cause: error)
    }
  }
}
