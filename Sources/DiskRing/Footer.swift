// The end of a sealed segment. It is written only after its records are durable, so a valid one vouches for them:
// opening the ring reads the trailer and the sums, the index only when the segment is read.
//
//   index      entry 48 …          right behind the last record
//   summary    stream 96 …         right in front of the trailer
//   trailer    magic 8 · version 4 · slot 4 · ring id 8 · generation 8 · epoch 8 · segment bytes 4 · data start 4
//              · data end 4 · entries 4 · streams 4 · zero 4 · index checksum 8 · summary checksum 8 · zero … · checksum 8

/// The trailer: the last bytes of a sealed segment file.
struct Trailer: Equatable {
  static let byteCount = 128
  static let magic: UInt64 = 0x3152_5446_474d_4143

  var identity: SegmentIdentity
  var dataStart: Int
  /// Where the records end and the index begins.
  var dataEnd: Int
  var entryCount: Int
  var streamCount: Int
  var indexChecksum: UInt64
  var summaryChecksum: UInt64

  var indexByteCount: Int { entryCount * IndexEntry.byteCount }
  var summaryByteCount: Int { streamCount * StreamSummary.byteCount }
  var summaryOffset: Int { Int(identity.segmentByteCount) - Trailer.byteCount - summaryByteCount }

  func encoded() -> [UInt8] {
    var writer = ByteWriter()
    writer.put(Trailer.magic)
    writer.put(formatVersion)
    writer.put(identity.slot)
    writer.put(identity.ringID)
    writer.put(identity.generation)
    writer.put(identity.epoch)
    writer.put(identity.segmentByteCount)
    for number in [dataStart, dataEnd, entryCount, streamCount, 0] { writer.put(UInt32(number)) }
    writer.put(indexChecksum)
    writer.put(summaryChecksum)
    writer.pad(to: Trailer.byteCount - 8)
    writer.put(Checksum.of(writer.bytes, seed: Trailer.magic))
    return writer.bytes
  }

  /// The trailer in `bytes`, the last of a file of `fileByteCount`; nil when there is none that makes sense.
  static func decode(_ bytes: UnsafeRawBufferPointer, fileByteCount: Int) -> Trailer? {
    guard bytes.count == byteCount else { return nil }
    var reader = ByteReader(bytes)
    guard reader.take() == magic, reader.take() == formatVersion, let slot: UInt32 = reader.take(),
      let ringID: UInt64 = reader.take(), let generation: UInt64 = reader.take(), let epoch: UInt64 = reader.take(),
      let segmentByteCount: UInt32 = reader.take()
    else { return nil }
    let content = UnsafeRawBufferPointer(rebasing: bytes[..<(byteCount - 8)])
    guard Checksum.of(content, seed: magic) == bytes.integer(at: byteCount - 8) else { return nil }
    var numbers: [Int] = []
    for _ in 0..<5 { numbers.append(Int(reader.take(UInt32.self) ?? 0)) }
    let trailer = Trailer(
      identity: SegmentIdentity(
        ringID: ringID, generation: generation, slot: slot, segmentByteCount: segmentByteCount, epoch: epoch),
      dataStart: numbers[0], dataEnd: numbers[1], entryCount: numbers[2], streamCount: numbers[3],
      indexChecksum: reader.take() ?? 0, summaryChecksum: reader.take() ?? 0)
    guard Int(segmentByteCount) == fileByteCount, max(generation, epoch) < numberLimit,
      trailer.dataStart <= trailer.dataEnd,
      trailer.dataEnd + trailer.indexByteCount <= trailer.summaryOffset
    else { return nil }
    return trailer
  }

  /// Whether a trailer stood here and was damaged.
  static func resembles(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count == byteCount else { return false }
    let difference = bytes.integer(UInt64.self, at: 0) ^ magic
    return (0..<8).count { difference >> (8 * $0) & 0xff != 0 } <= 2
  }
}

/// Index, sums and trailer of a segment that is about to be sealed.
struct Footer {
  let index: [UInt8]
  let summaryAndTrailer: [UInt8]
  let trailer: Trailer

  init(_ segment: SegmentIndex, identity: SegmentIdentity, dataStart: Int, dataEnd: Int) {
    let salt = identity.salt()
    var (index, summary) = (ByteWriter(), ByteWriter())
    for entry in segment.entries { entry.encode(into: &index) }
    let summaries = segment.summaries.sorted { $0.key < $1.key }
    for (stream, sums) in summaries { sums.encode(stream: stream, into: &summary) }
    trailer = Trailer(
      identity: identity, dataStart: dataStart, dataEnd: dataEnd, entryCount: segment.count,
      streamCount: summaries.count, indexChecksum: Checksum.of(index.bytes, seed: salt),
      summaryChecksum: Checksum.of(summary.bytes, seed: salt))
    self.index = index.bytes
    summaryAndTrailer = summary.bytes + trailer.encoded()
  }

  /// What the footer of a segment takes.
  static func byteCount(entries: Int, streams: Int) -> Int {
    entries * IndexEntry.byteCount + streams * StreamSummary.byteCount + Trailer.byteCount
  }

  static func decodeSummaries(_ bytes: UnsafeRawBufferPointer, _ trailer: Trailer) -> PackedSums? {
    guard bytes.count == trailer.summaryByteCount,
      Checksum.of(bytes, seed: trailer.identity.salt()) == trailer.summaryChecksum
    else { return nil }
    var sums = PackedSums(epoch: trailer.identity.epoch)
    var previous = -1
    for index in 0..<trailer.streamCount {
      let entry = UnsafeRawBufferPointer(rebasing: bytes[(index * StreamSummary.byteCount)...])
      guard let (stream, summary) = StreamSummary.decode(entry), Int(stream) > previous,
        summary.recordCount <= UInt64(trailer.entryCount),
        summary.payloadByteCount <= UInt64(trailer.dataEnd - trailer.dataStart)
      else { return nil }
      sums.append(stream, summary)
      previous = Int(stream)
    }
    sums.trim()
    return sums
  }

  static func decodeIndex(_ bytes: UnsafeRawBufferPointer, _ trailer: Trailer) -> SegmentIndex? {
    guard Checksum.of(bytes, seed: trailer.identity.salt()) == trailer.indexChecksum else { return nil }
    var reader = ByteReader(bytes)
    var index = SegmentIndex()
    var end = trailer.dataStart
    for _ in 0..<trailer.entryCount {
      // In the order of their places, one behind another, and of each stream in the order of its numbers.
      guard let entry = IndexEntry(from: &reader), entry.offset >= end, index.takes(entry) else { return nil }
      end = entry.offset + RecordHeader.recordByteCount(body: entry.metadataByteCount + entry.payloadByteCount)
      guard end <= trailer.dataEnd else { return nil }
      index.add(entry)
    }
    return index
  }
}
