// Where in the list of segments a stream is read. What was found once is remembered, so that a frame costs no look at the
// segments in front of it; those that are sealed do not change.

extension Ring {
  /// The index of the first segment that has a record of `stream` behind `key`; the list's end when there is none.
  func firstSegment(of stream: UInt16, behind key: RecordKey) -> Int {
    var starts = startsOfReading(of: stream)
    var place = segments.index(from: starts.generation(behind: key))
    while place < segments.endIndex {
      if let last = segments[place].summary(of: stream)?.last.key, last > key { break }
      place += 1
    }
    // Beyond the first that still takes records nothing is settled.
    let found = place < segments.endIndex ? segments[place].generation : .max
    starts.note(key, min(found, firstUnsettled), isFinished: key <= finishedKey(stream))
    readingStarts?.streams[stream] = starts
    return place
  }

  /// The first generation of which more records may come.
  private var firstUnsettled: UInt64 { segments.busy.first?.generation ?? (segments.last?.generation ?? 0) + 1 }

  func startsOfReading(of stream: UInt16) -> ReadingStarts {
    if readingStarts?.insertionCount != segments.insertionCount { lookAtAllSegments() }
    return readingStarts?.streams[stream] ?? ReadingStarts()
  }

  /// One look at every segment: finds where each stream goes on, and aligns the cursors. A cursor may be older or newer
  /// than a cut, and so count from another record: the records know better.
  func lookAtAllSegments() {
    var finished: [RecordKey] = []
    for (number, stream) in streams {
      let missing = Int(number) + 1 - finished.count
      if missing > 0 { finished += repeatElement(.zero, count: missing) }
      finished[Int(number)] = stream.cursor.finished.key
    }
    var starts: [ReadingStarts?] = Array(repeating: nil, count: finished.count)
    var ordinals: [UInt64] = Array(repeating: 0, count: finished.count)
    for segment in segments {
      segment.forEachSummary { stream, sums in
        let number = Int(stream)
        guard number < finished.count else { return }
        let key = finished[number]
        if sums.first.key <= key {
          ordinals[number] = max(ordinals[number], ordinal(of: key, stream, sums, in: segment))
        }
        if starts[number] == nil, sums.last.key > key {
          starts[number] = ReadingStarts()
          starts[number]?.note(key, segment.generation, isFinished: true)
        }
      }
    }
    var found: [UInt16: ReadingStarts] = [:]
    for number in streams.keys {
      let known = streams[number]?.cursor.finished.ordinal ?? 0
      streams[number]?.cursor.finished.ordinal = max(known, ordinals[Int(number)])
      var start = starts[Int(number)] ?? ReadingStarts()
      if starts[Int(number)] == nil { start.note(finished[Int(number)], firstUnsettled, isFinished: true) }
      found[number] = start
    }
    readingStarts = (found, segments.insertionCount)
  }
}
