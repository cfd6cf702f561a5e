import Glibc
import Posix

// The streams of a ring: a table that stands in every header, and so must not grow with the cameras that are gone. A
// stream of which nothing is in the ring, and nothing is owed, is forgotten when its place is needed; the cursor file goes
// on knowing it as long as there is room, by its description.

extension Ring {
  /// The stream with this description, a new one if there is none. Costs nothing on disk until a record is appended.
  package func register(_ description: StreamDescription) throws(RingError) -> StreamID {
    if let known = streams.values.first(where: { $0.description == description }) {
      streams[known.number]?.isRegistered = true
      forgettable.remove(known.number)
      return StreamID(number: known.number)
    }
    if StreamTableEntry.isCrowded(tableEntries, segmentByteCount: segmentByteCount) { forgetStreams() }
    guard streams.count < CursorFile.largestEntryCount,
      let number = (lowestNumber...UInt16.max).first(where: { streams[$0] == nil && !forgotten.contains($0) }),
      headerByteCount(with: description) <= SegmentHeader.largestByteCount(segmentByteCount: segmentByteCount)
    else {
      throw RingError(
        .tooManyStreams,
        "the ring has no room for one more stream ('\(description.name)'); let Kafka take what it holds")
    }
    var stream = Stream(number: number, description: description, isRegistered: true)
    if let entry = unclaimedCursors.removeValue(forKey: description.hash) {
      (stream.cursor, stream.durableCursor) = (entry, entry)
      stream.last = Mark.start.merged(with: entry.finished).merged(with: entry.evictedThrough)
      stream.floor = stream.last
    }
    streams[number] = stream
    // Maybe it is not new, and has another number there: written under two, it would be two streams.
    if !recovery.unreadFiles.isEmpty, !storage.isReadOnly, !options.defects.contains(.forgetsUnread) {
      provisional.insert(number)
      degrade(SystemError(code: EIO, operation: "files that may know the stream '\(description.name)'"))
    }
    return StreamID(number: number)
  }

  /// Files that could not be read may know streams by numbers that nothing else tells: then a new stream gets one that
  /// none of them has.
  private var lowestNumber: UInt16 {
    if recovery.unreadFiles.isEmpty { return 0 }
    let last = streams.keys.filter { !provisional.contains($0) }.max() ?? 0
    return last < UInt16.max - 1_024 ? last + 1_024 : last
  }

  private func headerByteCount(with description: StreamDescription) -> Int {
    let entries = tableEntries + [StreamTableEntry(number: 0, description: description, cursor: CursorEntry())]
    return entries.reduce(64 + 16 * segments.count) { $0 + $1.byteCount }
  }

  var tableEntries: [StreamTableEntry] {
    streams.values.sorted { $0.number < $1.number }.map {
      StreamTableEntry(number: $0.number, description: $0.description, cursor: $0.cursor)
    }
  }

  /// Their numbers are given again by a later process: a segment that names them may be the one that is written now.
  private func forgetStreams() {
    for number in forgettable {
      guard let stream = streams.removeValue(forKey: number) else { continue }
      unclaimedCursors[stream.description.hash] = stream.cursor
      readingStarts?.streams[number] = nil
    }
    for segment in [current, spare] { segment?.declared.subtract(forgettable) }
    forgotten.formUnion(forgettable)
    forgettable = []
  }

  /// What the cursor file says: all streams of the ring, and of those that are gone the newest.
  var cursorEntries: [UInt64: CursorEntry] {
    var entries: [UInt64: CursorEntry] = [:]
    for stream in streams.values { entries[stream.description.hash] = stream.cursor }
    let room = CursorFile.largestEntryCount - entries.count
    let gone = unclaimedCursors.filter { entries[$0.key] == nil }
    for (hash, entry) in gone.sorted(by: { $0.value.finished.key > $1.value.finished.key }).prefix(max(0, room)) {
      entries[hash] = entry
    }
    return entries
  }
}

extension StreamTableEntry {
  /// Whether a table takes half of the room that there is at most.
  static func isCrowded(_ entries: [StreamTableEntry], segmentByteCount: Int) -> Bool {
    let byteCount = entries.reduce(0) { $0 + $1.byteCount }
    return entries.count > CursorFile.largestEntryCount / 2
      || byteCount > SegmentHeader.largestByteCount(segmentByteCount: segmentByteCount) / 2
  }
}

extension RingOpening {
  /// When the table is crowded, segments of which everything is finished are emptied at once, not when they are needed: their
  /// records keep streams in it. Emptied is a file without bytes; it gets its size back with those that are missing.
  mutating func emptyFinishedSegments() throws(SystemError) {
    let entries = streams.values.map {
      StreamTableEntry(number: $0.number, description: $0.description, cursor: $0.cursor)
    }
    guard report.failures.isEmpty, StreamTableEntry.isCrowded(entries, segmentByteCount: segmentByteCount) else {
      return
    }
    let finished = streams.mapValues(\.cursor.finished.key)
    for segment in segments where segment.isFinished({ finished[$0] ?? .zero }) {
      let file = try storage.open(segment.name, creating: false)
      defer { storage.close(file) }
      try storage.truncate(file, byteCount: 0)
      freeFiles.append(segment.name)
      segments.removeAll { $0 === segment }
      scanned.removeAll { $0.segment === segment }
      cuts.removeAll { $0.generation == segment.generation }
    }
  }

  /// Streams of which no file holds anything, and of which nothing is missing that would have to be told.
  var forgettableStreams: Set<UInt16> {
    // What could not be read may hold any of them.
    guard report.failures.isEmpty else { return [] }
    var held: Set<UInt16> = []
    for segment in segments { segment.forEachSummary { stream, _ in held.insert(stream) } }
    return Set(
      streams.values.filter { !held.contains($0.number) && $0.last.key <= $0.cursor.finished.key }.map(\.number))
  }
}
