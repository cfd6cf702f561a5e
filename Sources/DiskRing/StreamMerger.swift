// What all headers, declarations and sums together say of the streams, while a ring is opened.

struct StreamMerger {
  /// Stream tables of headers, and of declarations, in the order they were found.
  private var tables: [(generation: UInt64, entries: [StreamTableEntry])] = []
  /// Streams that a table describes.
  private(set) var named: Set<UInt16> = []
  private var streams: [UInt16: Ring.Stream] = [:]
  /// The newest record of each stream so far.
  private var lastMarks: [UInt16: Mark] = [:]

  /// The table of a segment's header, or what is declared in it.
  mutating func add(_ entries: [StreamTableEntry], of generation: UInt64) {
    tables.append((generation, entries))
    named.formUnion(entries.map(\.number))
  }

  /// Names, cursors and ends of all streams. `segments` are in their order; what was written twice is taken out of them.
  mutating func merge(_ segments: [Segment], _ report: inout RecoveryReport) -> [UInt16: Ring.Stream] {
    let ordered = tables.enumerated().sorted { ($0.element.generation, $0.offset) < ($1.element.generation, $1.offset) }
    for (_, table) in ordered {
      for entry in table.entries { merge(entry) }
    }
    for segment in segments {
      var followers: [(UInt16, StreamSummary)] = []
      segment.forEachSummary { number, summary in
        // Mostly a stream goes on where it ended.
        if let last = lastMarks[number], summary.first.key > last.key {
          lastMarks[number] = summary.last
        } else {
          followers.append((number, summary))
        }
      }
      for (number, summary) in followers { append(segment, number, summary, &report) }
    }
    for (number, last) in lastMarks { streams[number]?.last = last }
    return streams
  }

  private mutating func merge(_ entry: StreamTableEntry) {
    var stream = Ring.Stream(number: entry.number, description: entry.description)
    // A number that is given again is that of the newer: of the older one there was nothing left.
    if let known = streams[entry.number], known.description == entry.description { stream = known }
    stream.cursor = stream.cursor.merged(with: entry.cursor)
    streams[entry.number] = stream
  }

  /// A stream's records in a segment come behind those of older segments; those that do not were written twice.
  private mutating func append(
    _ segment: Segment, _ number: UInt16, _ summary: StreamSummary, _ report: inout RecoveryReport
  ) {
    if streams[number] == nil {
      // Its name is lost with every header: the caller sees a number.
      let unnamed = StreamDescription(name: "stream-\(number)", topic: "")
      streams[number] = Ring.Stream(number: number, description: unnamed)
    }
    let last = lastMarks[number] ?? .start
    var summary: StreamSummary? = summary
    if let first = summary?.first.key, first <= last.key, let index = segment.index {
      let repeated = index.byStream[number]?.filter { $0.mark.key <= last.key } ?? []
      for entry in repeated {
        var finding = RecoveryFinding(.repeated, file: segment.name, offset: entry.offset)
        (finding.stream, finding.key) = (StreamID(number: number), entry.mark.key)
        report.add(finding)
        segment.lostOffsets.insert(entry.offset)
      }
      segment.index?.remove { segment.lostOffsets.contains($0.offset) }
      summary = segment.index?.summaries[number]
      segment.summaries[number] = summary
    }
    if let summary { lastMarks[number] = summary.last }
  }
}

extension CursorEntry {
  /// What two notes of different age say together: nothing goes back.
  func merged(with other: CursorEntry) -> CursorEntry {
    var result = other.finished.key >= finished.key ? other : self
    if result.position == nil { result.position = position ?? other.position }
    result.evictedThrough = evictedThrough.merged(with: other.evictedThrough)
    return result
  }
}

extension Mark {
  /// The later of both, in key and in ordinal.
  func merged(with other: Mark) -> Mark { Mark(key: max(key, other.key), ordinal: max(ordinal, other.ordinal)) }
}
