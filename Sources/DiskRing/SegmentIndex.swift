// What is in a segment: entry by entry for those that are read or written, in sums for all.

/// A frame's record in its segment: 48 bytes in the footer.
///
///   offset 4 · metadata bytes 4 · payload bytes 4 · stream 2 · flags 2 · ordinal 8 · epoch 8 · sequence 8 · time 8
struct IndexEntry: Equatable {
  static let byteCount = 48

  var stream: UInt16
  var offset: Int
  var isKeyframe: Bool
  var metadataByteCount: Int
  var payloadByteCount: Int
  var mark: Mark
  var captureTime: Int64

  init(_ header: RecordHeader, offset: Int) {
    (stream, isKeyframe, self.offset) = (header.stream, header.isKeyframe, offset)
    (metadataByteCount, payloadByteCount) = (header.metadataByteCount, header.payloadByteCount)
    (mark, captureTime) = (header.mark, header.captureTime)
  }

  func encode(into writer: inout ByteWriter) {
    writer.put(UInt32(offset))
    writer.put(UInt32(metadataByteCount))
    writer.put(UInt32(payloadByteCount))
    writer.put(stream)
    writer.put(UInt16(isKeyframe ? 1 : 0))
    writer.put(mark.ordinal)
    writer.put(mark.key.epoch)
    writer.put(mark.key.sequence)
    writer.put(captureTime)
  }

  init?(from reader: inout ByteReader) {
    guard let offset: UInt32 = reader.take(), let metadata: UInt32 = reader.take(), let payload: UInt32 = reader.take(),
      let stream: UInt16 = reader.take(), let flags: UInt16 = reader.take(), let ordinal: UInt64 = reader.take(),
      let epoch: UInt64 = reader.take(), let sequence: UInt64 = reader.take(), let time: Int64 = reader.take(),
      let mark = Mark(epoch: epoch, sequence: sequence, ordinal: ordinal)
    else { return nil }
    self.mark = mark
    (self.offset, metadataByteCount, payloadByteCount) = (Int(offset), Int(metadata), Int(payload))
    (self.stream, isKeyframe, captureTime) = (stream, flags & 1 != 0, time)
  }

  func record(generation: UInt64) -> StoredRecord {
    StoredRecord(
      stream: StreamID(number: stream), mark: mark, isKeyframe: isKeyframe, captureTime: captureTime,
      metadataByteCount: metadataByteCount, payloadByteCount: payloadByteCount, generation: generation, offset: offset)
  }
}

/// A stream's records in one segment, in sums: 96 bytes in the footer.
///
///   stream 2 · zero 6 · records 8 · keyframes 8 · payload bytes 8 · first (epoch, sequence, ordinal) 24 · last 24
///   · first time 8 · last time 8
struct StreamSummary: Equatable {
  static let byteCount = 96

  var recordCount: UInt64 = 0
  var keyframeCount: UInt64 = 0
  var payloadByteCount: UInt64 = 0
  var first: Mark
  var last: Mark
  var firstTime: Int64
  var lastTime: Int64

  init(_ entry: IndexEntry) {
    (first, last) = (entry.mark, entry.mark)
    (firstTime, lastTime) = (entry.captureTime, entry.captureTime)
    add(entry)
  }

  /// `entry` is behind all entries so far.
  mutating func add(_ entry: IndexEntry) {
    recordCount += 1
    if entry.isKeyframe { keyframeCount += 1 }
    payloadByteCount += UInt64(entry.payloadByteCount)
    (last, lastTime) = (entry.mark, entry.captureTime)
  }

  func encode(stream: UInt16, into writer: inout ByteWriter) {
    writer.put(UInt64(stream))
    for sum in [recordCount, keyframeCount, payloadByteCount] { writer.put(sum) }
    for mark in [first, last] {
      writer.put(mark.key.epoch)
      writer.put(mark.key.sequence)
      writer.put(mark.ordinal)
    }
    writer.put(firstTime)
    writer.put(lastTime)
  }

  /// The sums at the beginning of `bytes`; nil for numbers that cannot be.
  static func decode(_ bytes: UnsafeRawBufferPointer) -> (stream: UInt16, summary: StreamSummary)? {
    guard bytes.count >= byteCount else { return nil }
    func number(_ index: Int) -> UInt64 { bytes.integer(at: 8 * index) }
    guard let first = Mark(epoch: number(4), sequence: number(5), ordinal: number(6)),
      let last = Mark(epoch: number(7), sequence: number(8), ordinal: number(9)),
      max(number(1), number(2), number(3)) < numberLimit, number(1) > 0, first.key <= last.key,
      first.ordinal <= last.ordinal, last.ordinal - first.ordinal >= number(1) - 1
    else { return nil }
    return (
      UInt16(truncatingIfNeeded: number(0)),
      StreamSummary(
        recordCount: number(1), keyframeCount: number(2), payloadByteCount: number(3), first: first, last: last,
        firstTime: Int64(bitPattern: number(10)), lastTime: Int64(bitPattern: number(11)))
    )
  }

  init(
    recordCount: UInt64, keyframeCount: UInt64, payloadByteCount: UInt64, first: Mark, last: Mark, firstTime: Int64,
    lastTime: Int64
  ) {
    (self.recordCount, self.keyframeCount, self.payloadByteCount) = (recordCount, keyframeCount, payloadByteCount)
    (self.first, self.last, self.firstTime, self.lastTime) = (first, last, firstTime, lastTime)
  }
}

/// All frames of a segment, by stream and in order.
struct SegmentIndex: Equatable {
  private(set) var byStream: [UInt16: [IndexEntry]] = [:]
  private(set) var count = 0

  mutating func add(_ entry: IndexEntry) {
    byStream[entry.stream, default: []].append(entry)
    count += 1
  }

  /// Whether `entry` may follow what is in here: keys and ordinals of a stream only grow.
  func takes(_ entry: IndexEntry) -> Bool {
    guard let last = byStream[entry.stream]?.last else { return true }
    return entry.mark.key > last.mark.key && entry.mark.ordinal > last.mark.ordinal
  }

  /// Takes out what `isGone`.
  mutating func remove(where isGone: (IndexEntry) -> Bool) {
    for stream in byStream.keys { byStream[stream]?.removeAll(where: isGone) }
    byStream = byStream.filter { !$0.value.isEmpty }
    count = byStream.values.reduce(0) { $0 + $1.count }
  }

  /// All entries in the order they were written.
  var entries: [IndexEntry] { byStream.values.joined().sorted { $0.offset < $1.offset } }

  var summaries: [UInt16: StreamSummary] {
    byStream.compactMapValues { entries in
      var summary = entries.first.map { StreamSummary($0) }
      for entry in entries.dropFirst() { summary?.add(entry) }
      return summary
    }
  }

  /// The stream's entries behind `key`.
  func entries(of stream: UInt16, after key: RecordKey) -> ArraySlice<IndexEntry> {
    guard let entries = byStream[stream] else { return [] }
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].mark.key <= key { low = middle + 1 } else { high = middle }
    }
    return entries[low...]
  }
}
