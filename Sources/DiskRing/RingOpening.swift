import Glibc
import Posix

// Opening: look at everything, then repair. What is read decides by the tables of RecoveryCase; a crash in the middle of
// a repair is as good as any other, because nothing is overwritten that the next opening would need.

/// The steps of `Ring.open`.
struct RingOpening {
  let storage: any Storage
  let options: RingOptions
  var report = RecoveryReport()
  var superblock: Superblock?
  var superblockTurn: UInt64 = 0
  var ringID: UInt64 = 0
  var segmentByteCount = 0
  var segments: [Segment] = []
  /// Segments that were scanned, and whether each takes further records.
  var scanned: [(segment: Segment, takesRecords: Bool)] = []
  var freeFiles: [String] = []
  /// Those of them that this opening has made.
  var madeFiles: [String] = []
  var streams: [UInt16: Ring.Stream] = [:]
  var cuts: [Cut] = []
  var highestEpoch: UInt64 = 0
  var highestGeneration: UInt64 = 0
  /// Headers with one sound copy, and where the other one is to be written again.
  var damagedCopies: [(header: SegmentHeader, offset: Int)] = []
  /// Damaged places, to be kept aside.
  var damaged: [(segment: Segment, finding: RecoveryFinding)] = []
  /// One slot of the cursor is damaged or cannot be read.
  var hasDamagedCursorSlot = false
  /// What to say instead of an errno.
  var pendingError: RingError?

  /// Superblock, cursor, lock and what was kept aside: so much of `size` is not for segments.
  static let overhead = 1 << 20
  /// One is filled, one is prepared, one is being sealed, one is read.
  static let fewestSegments = 4

  init(storage: any Storage, options: RingOptions) { (self.storage, self.options) = (storage, options) }

  mutating func open() throws(RingError) -> Ring {
    try lock()
    do throws(SystemError) {
      let files = try storage.list()
      try readSuperblock(files)
      let probes = try probeSegments(files)
      if superblock == nil { try adoptIdentity(from: probes) }
      classify(probes)
    } catch { throw RingError.opening(error) }
    if let newerVersion {
      throw RingError(
        .newerVersion,
        "the ring was written by a newer version (format \(newerVersion)); update, or use another directory")
    }
    readTables()
    scanSegments()
    streams = merger.merge(segments, &report)
    for (stream, last) in overwritten {
      guard let known = streams[stream]?.cursor.evictedThrough else { continue }
      streams[stream]?.cursor.evictedThrough = known.merged(with: last)
    }
    for stream in streams.values { highestEpoch = max(highestEpoch, stream.last.key.epoch) }
    return try repairAndBuild()
  }

  private mutating func lock() throws(RingError) {
    do throws(SystemError) { try storage.lock() } catch {
      if storage.isReadOnly {
        report.isInUse = true
        return
      }
      if error.code == EWOULDBLOCK {
        throw RingError(
          .held, "another process has this ring open; stop it, or give this one a directory of its own", cause: error)
      }
      throw RingError.opening(error)
    }
  }

  private mutating func readSuperblock(_ files: [StoredFile]) throws(SystemError) {
    let isThere = files.contains { $0.name == Superblock.fileName }
    let probe = try SlotProbe(storage, Superblock.fileName, magic: Superblock.magic, isThere: isThere, options)
    newerVersion = probe.newerVersion
    guard let slot = probe.newest(ringID: nil), let found = Superblock(slot.content) else {
      superblockCase = probe.recoveryCase
      return
    }
    (superblock, superblockTurn, ringID) = (found, slot.turn, slot.ringID)
    highestEpoch = found.epoch
    report.add(RecoveryFinding(probe.recoveryCase, file: Superblock.fileName))
  }

  private var newerVersion: UInt32?
  /// Set when no superblock can be used.
  private var superblockCase: RecoveryCase?

  /// Looks at all files that may be segments.
  private mutating func probeSegments(_ files: [StoredFile]) throws(SystemError) -> [SegmentProbe] {
    var probes: [SegmentProbe] = []
    for file in files.sorted(by: { $0.name < $1.name }) where !RingOpening.isOther(file.name) {
      let isSegment = Segment.slot(ofFile: file.name) != nil
      do throws(SystemError) {
        let number = try storage.open(file.name, creating: false)
        defer { storage.close(number) }
        let byteCount = try storage.byteCount(of: number)
        var probe = try SegmentProbe(storage, number, name: file.name, byteCount: byteCount)
        if !options.defects.contains(.evictsEarly) { try probe.undoReuse(storage, number, options.defects) }
        if isSegment || probe.identity != nil { probes.append(probe) }
      } catch {
        if isSegment || file.byteCount == superblock?.segmentByteCount { leaveUnread(file.name, error) }
      }
    }
    return probes
  }

  /// A file could not be read: it is kept as it is.
  private mutating func leaveUnread(_ name: String, _ error: SystemError) {
    report.failures.append(error)
    if !options.defects.contains(.forgetsUnread) { report.unreadFiles.append(name) }
  }

  /// The same for a segment that was taken for known.
  private mutating func leaveUnread(_ segment: Segment, _ error: SystemError) {
    leaveUnread(segment.name, error)
    guard !options.defects.contains(.forgetsUnread) else {
      segment.isBad = true
      return
    }
    segments.removeAll { $0 === segment }
    unsealed[segment.generation] = nil
  }

  private static func isOther(_ name: String) -> Bool {
    [Superblock.fileName, CursorFile.fileName, PosixStorage.lockName].contains(name)
      || name.hasSuffix(DamagedKeeper.suffix) || name.hasSuffix(RingOpening.foreignSuffix)
  }

  static let foreignSuffix = ".foreign"

  /// Without a superblock the newest segment says whose ring this is; without any, it is a new one.
  private mutating func adoptIdentity(from probes: [SegmentProbe]) throws(SystemError) {
    let newest = probes.compactMap(\.headerIdentity).max { $0.generation < $1.generation }
    if let newest {
      (ringID, segmentByteCount) = (newest.ringID, Int(newest.segmentByteCount))
      report.add(RecoveryFinding(.slotsLost, file: Superblock.fileName))
    } else if !report.unreadFiles.isEmpty, let error = report.failures.first {
      // One of them may say whose ring this is.
      throw error
    } else {
      ringID = options.newRingID
      report.isNew = true
      report.add(RecoveryFinding(superblockCase ?? .slotsBlank, file: Superblock.fileName))
    }
  }

  /// What each file is, and what becomes of it.
  private mutating func classify(_ probes: [SegmentProbe]) {
    if let superblock { segmentByteCount = superblock.segmentByteCount }
    if segmentByteCount == 0 { segmentByteCount = options.segmentByteCount }
    var generations: Set<UInt64> = []
    // A file under its own name is the original, others with the same content are copies.
    let ordered = probes.filter(\.hasItsName) + probes.filter { !$0.hasItsName }
    for probe in ordered {
      let isUnique = probe.identity.map { !generations.contains($0.generation) } ?? true
      let recoveryCase = probe.recoveryCase(
        ringID: ringID, segmentByteCount: segmentByteCount, isUnique: isUnique)
      if let identity = probe.identity, identity.ringID == ringID { generations.insert(identity.generation) }
      adopt(probe, recoveryCase)
    }
    segments.sort { $0.generation < $1.generation }
  }

  private mutating func adopt(_ probe: SegmentProbe, _ recoveryCase: RecoveryCase) {
    var finding = RecoveryFinding(recoveryCase, file: probe.name)
    defer { report.add(finding) }
    if let undone = probe.undone, recoveryCase != .foreign {
      // No record was written behind this header, and it still says what it says of streams and cuts. Not of what is
      // finished: it may be written over next, and then that would go back.
      highestEpoch = max(highestEpoch, undone.identity.epoch)
      highestGeneration = max(highestGeneration, undone.identity.generation)
      cuts += undone.cuts
      let streams = undone.streams.map {
        StreamTableEntry(number: $0.number, description: $0.description, cursor: CursorEntry())
      }
      merger.add(streams, of: undone.identity.generation)
    }
    switch recoveryCase {
    case .foreign: foreignFiles.append(probe.name)
    case .blank, .copy: freeFiles.append(probe.name)
    case .unreadable:
      finding.byteCount = probe.fileByteCount
      freeFiles.append(probe.name)
    default:
      guard let identity = probe.identity else { return }
      highestEpoch = max(highestEpoch, identity.epoch)
      highestGeneration = max(highestGeneration, identity.generation)
      let segment = Segment(
        name: probe.name, identity: identity, dataStart: probe.dataStart, state: .sealed,
        salt: identity.salt(options.defects))
      if let sums = probe.sums { segment.adopt(sums) }
      if let trailer = probe.trailer { (segment.end, segment.durableEnd) = (trailer.dataEnd, trailer.dataEnd) }
      segments.append(segment)
      if let header = probe.header { adopt(header, of: segment, damagedCopyOffset: probe.damagedCopyOffset) }
      if probe.undone != nil { undone.insert(identity.generation) }
      if recoveryCase == .headersLost { headless.insert(identity.generation) }
      if recoveryCase.needsScan { unsealed[identity.generation] = (recoveryCase, probe.fileByteCount) }
      if !probe.hasItsName {
        let isStray = Segment.slot(ofFile: probe.name) == nil
        report.add(RecoveryFinding(isStray ? .stray : .renamed, file: probe.name))
      }
    }
  }

  private mutating func adopt(_ header: SegmentHeader, of segment: Segment, damagedCopyOffset: Int?) {
    if let damagedCopyOffset { damagedCopies.append((header, damagedCopyOffset)) }
    cuts += header.cuts
    merger.add(header.streams, of: segment.generation)
    segment.declared = Set(header.streams.map(\.number))
  }

  /// Reads as many headers of complete segments as it takes to know the cuts and all streams. Each header has both as they
  /// were, so the newest says all of it, unless it rots.
  private mutating func readTables() {
    for (age, segment) in segments.reversed().enumerated() where unsealed[segment.generation] == nil {
      if age >= RingOpening.tableCount, areNamed(segment, in: merger.named) { continue }
      do throws(SystemError) {
        let file = try storage.open(segment.name, creating: false)
        defer { storage.close(file) }
        let probe = try SegmentProbe.headers(storage, file, of: segment)
        guard let header = probe.header, header.identity == segment.identity else { continue }
        adopt(header, of: segment, damagedCopyOffset: probe.damagedCopyOffset)
      } catch { leaveUnread(segment, error) }
    }
    settleCuts()
  }

  /// Whether all streams that have records in the segment are among `named`.
  private func areNamed(_ segment: Segment, in named: Set<UInt16>) -> Bool {
    var isNamed = true
    segment.forEachSummary { stream, _ in isNamed = isNamed && named.contains(stream) }
    return isNamed
  }

  /// The headers of so many of the newest segments are read.
  private static let tableCount = 4

  private mutating func settleCuts() {
    for cut in superblock?.cuts ?? [] {
      let isOfIt = { (segment: Segment) in segment.generation == cut.generation && segment.identity.epoch == cut.epoch }
      if segments.contains(where: isOfIt) {
        cuts.append(Cut(generation: cut.generation, offset: Int(clamping: cut.offset)))
      }
    }
    cuts = Set(cuts).sorted { ($0.generation, $0.offset) < ($1.generation, $1.offset) }
    // They may be of what was not read.
    if !report.unreadFiles.isEmpty { return }
    cuts.removeAll { cut in !segments.contains { $0.generation == cut.generation } }
  }

  var foreignFiles: [String] = []
  /// Segments without a sound footer, by generation, and how long their files are.
  private var unsealed: [UInt64: (recoveryCase: RecoveryCase, fileByteCount: Int)] = [:]
  /// Segments whose file was to be used again.
  private var undone: Set<UInt64> = []
  /// Segments that have lost both headers. Their file may have been used since: a header that was torn may lie over that
  /// of a use whose records were all void, and these over what the footer lists.
  private var headless: Set<UInt64> = []
  /// Streams that have lost records to the first one of a file's next use, which is lost itself, and up to where: these
  /// have made room, and there may be no record behind them whose ordinal would show it.
  private var overwritten: [UInt16: Mark] = [:]
  private var merger = StreamMerger()

  // MARK: Scanning

  /// Scans what has no footer, and of the newest segment that has one the end: what was written last, where a power cut
  /// strikes, and its neighbours.
  private mutating func scanSegments() {
    let newestSealed = segments.last { unsealed[$0.generation] == nil && !mayBeOverwritten($0) }
    for segment in segments {
      if let found = unsealed[segment.generation] {
        guard scan(segment, limit: min(found.fileByteCount, segmentByteCount)) else { continue }
        // What was not read may be newer.
        let takesRecords =
          segment === segments.last && report.unreadFiles.isEmpty && found.recoveryCase.takesRecords
          && !segment.isBad && !cuts.contains { $0.generation == segment.generation }
        scanned.append((segment, takesRecords))
      } else if segment === newestSealed || mayBeOverwritten(segment) || isCut(segment) {
        let (before, isCut) = (segment.summaries, isCut(segment))
        // All of it when a stream is named by a record in it, or when something may have been written over it.
        let isEndEnough = segment === newestSealed && !isCut && areNamed(segment, in: segment.declared)
        guard scan(segment, limit: segment.end, onlyEnd: isEndEnough) else { continue }
        if mayBeOverwritten(segment), !isCut {
          for (stream, sums) in before where segment.summary(of: stream) != sums {
            overwritten[stream] = sums.last.merged(with: overwritten[stream] ?? .start)
          }
        }
        // Its footer lists records that are no more: it gets a new one.
        if segment.summaries != before || mayBeOverwritten(segment) { scanned.append((segment, false)) }
      }
    }
  }

  /// Whether records of a later use may lie over what the footer lists.
  func mayBeOverwritten(_ segment: Segment) -> Bool {
    undone.contains(segment.generation) || headless.contains(segment.generation)
  }

  /// Whether what a footer lists is void in parts: it was written by an opening that could not read of the cut.
  private func isCut(_ segment: Segment) -> Bool {
    cuts.contains { $0.generation == segment.generation && $0.offset < segment.end }
  }

  /// False when the segment could not be read.
  private mutating func scan(_ segment: Segment, limit: Int, onlyEnd: Bool = false) -> Bool {
    var limit = limit
    if let cut = cuts.first(where: { $0.generation == segment.generation }) { limit = min(limit, cut.offset) }
    do throws(SystemError) {
      let file = try storage.open(segment.name, creating: false)
      defer { storage.close(file) }
      let window = SegmentWindow(storage, file, byteCount: limit)
      let front = onlyEnd ? try recordsInFront(of: limit - segmentByteCount / 4, segment, file) : nil
      let (index, start) = front ?? (SegmentIndex(), segment.dataStart)
      let scan = SegmentScanner(
        window: window, file: segment.name, salt: segment.salt, dataStart: start
      ).scan(behind: index)
      if let error = window.error, !options.defects.contains(.forgetsUnread) { throw error }
      // What was written over is listed by the footer all the same.
      if mayBeOverwritten(segment), let listed = try storage.index(of: segment, file) {
        segment.lostOffsets = Set(listed.entries.map(\.offset)).subtracting(scan.index.entries.map(\.offset))
      }
      adopt(scan, of: segment)
      report.addSound(scan.index.count - index.count)
      return window.error == nil
    } catch {
      // A footer that was read is believed without a second look.
      if onlyEnd { report.failures.append(error) } else { leaveUnread(segment, error) }
      return false
    }
  }

  /// What the footer lists of a segment in front of `offset`, and where the record behind begins; nil when there is
  /// nothing to rely on.
  private func recordsInFront(
    of offset: Int, _ segment: Segment, _ file: FileNumber
  ) throws(SystemError) -> (SegmentIndex, Int)? {
    guard let index = try storage.index(of: segment, file),
      let start = index.entries.first(where: { $0.offset >= offset })
    else { return nil }
    var front = index
    front.remove { $0.offset >= start.offset }
    return (front, start.offset)
  }

  private mutating func adopt(_ scan: SegmentScan, of segment: Segment) {
    segment.index = scan.index
    segment.summaries = scan.index.summaries
    if unsealed[segment.generation] != nil || isCut(segment) {
      (segment.end, segment.durableEnd) = (scan.end, scan.end)
    }
    if !scan.declarations.isEmpty {
      merger.add(scan.declarations, of: segment.generation)
      segment.declared.formUnion(scan.declarations.map(\.number))
    }
    // What was written over a segment before its file was used again after all was told when it made room.
    for finding in scan.findings where !undone.contains(segment.generation) {
      report.add(finding)
      if finding.byteCount > 0 { damaged.append((segment, finding)) }
      // What a footer still lists; where there is none, new records may come to lie there.
      let isListed = unsealed[segment.generation] == nil
      if isListed, finding.recoveryCase == .damagedBody { segment.lostOffsets.insert(finding.offset) }
    }
  }
}

extension SegmentProbe {
  /// Whose the file is by its header.
  fileprivate var headerIdentity: SegmentIdentity? {
    header?.identity ?? undone?.identity ?? (isHeaderUnread ? trailer?.identity : nil)
  }

  var hasItsName: Bool { identity.map { Segment.fileName(slot: $0.slot) == name } ?? true }
}

extension RecoveryCase {
  /// Whether a segment found so is read record by record.
  var needsScan: Bool {
    switch self {
    case .open, .openHeaderCopyDamaged, .footerDamaged, .wrongSize: true
    default: false
    }
  }

  /// Whether such a segment, being the newest, goes on taking records.
  var takesRecords: Bool { self == .open || self == .openHeaderCopyDamaged }
}
