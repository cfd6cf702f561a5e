import Glibc

// The beginning of a segment file: two copies of the same header, each with its own checksum, then records. The header
// also carries the stream table as it stands, so that every segment can be understood without the others, and what was
// evicted to make room for it is known after a crash.
//
//   0          4 KiB·n     8 KiB·n                                      footer              end
//   ┌──────────┬───────────┬────────┬────────┬───┬──────────────┬───────┬─────────┬─────────┐
//   │ header A │ header B  │ record │ record │ … │ unused       │ index │ summary │ trailer │
//   └──────────┴───────────┴────────┴────────┴───┴──────────────┴───────┴─────────┴─────────┘
//
//   header     magic 8 · version 4 · byteCount 4 · ring id 8 · generation 8 · slot 4 · segment bytes 4 · epoch 8
//              · cuts 4 · streams 4 · (generation 8 · offset 8)… · stream… · checksum 8
//   stream     number 2 · name bytes 2 · topic bytes 2 · flags 2 · cursor entry 64 · name · topic

/// The format this program writes, and the newest it reads.
let formatVersion: UInt32 = 1

/// Which use of which file a segment is.
struct SegmentIdentity: Hashable {
  var ringID: UInt64
  /// Grows with every reuse of any segment: the order of the segments.
  var generation: UInt64
  /// The number in the file's name when it was written.
  var slot: UInt32
  var segmentByteCount: UInt32
  /// The epoch that wrote the header.
  var epoch: UInt64

  /// What all checksums of this generation depend on (and on its epoch, should a generation be lost and its number be
  /// given again), so that a stale record of a reused segment can never look valid.
  func salt(_ defects: RingDefects = []) -> UInt64 {
    if defects.contains(.noSalt) { return 0 }
    var writer = ByteWriter()
    writer.put(ringID)
    writer.put(generation)
    writer.put(epoch)
    return Checksum.of(writer.bytes, seed: 0x4341_4d47_5341_4c54)
  }
}

/// From `offset` on, the records of the segment of that generation are void: their sync failed, they were written again.
struct Cut: Hashable {
  var generation: UInt64
  var offset: Int
}

/// A stream as headers and declarations describe it.
struct StreamTableEntry: Equatable {
  var number: UInt16
  var description: StreamDescription
  var cursor: CursorEntry

  func encode(into writer: inout ByteWriter) {
    let (name, topic) = (Array(description.name.utf8), Array(description.topic.utf8))
    writer.put(number)
    writer.put(UInt16(name.count))
    writer.put(UInt16(topic.count))
    writer.put(UInt16(0))
    cursor.encode(into: &writer)
    writer.put(name)
    writer.put(topic)
  }

  init(number: UInt16, description: StreamDescription, cursor: CursorEntry) {
    (self.number, self.description, self.cursor) = (number, description, cursor)
  }

  init?(from reader: inout ByteReader) {
    guard let number: UInt16 = reader.take(), let nameCount: UInt16 = reader.take(),
      let topicCount: UInt16 = reader.take(), reader.take(UInt16.self) != nil, let cursor = CursorEntry(from: &reader),
      let name = reader.take(byteCount: Int(nameCount)), let topic = reader.take(byteCount: Int(topicCount))
    else { return nil }
    self.init(
      number: number,
      description: StreamDescription(
        name: String(decoding: name, as: UTF8.self), topic: String(decoding: topic, as: UTF8.self)),
      cursor: cursor)
  }

  /// What it takes in a header.
  var byteCount: Int { 8 + CursorEntry.byteCount + description.name.utf8.count + description.topic.utf8.count }
}

extension CursorEntry {
  static let byteCount = 64

  func encode(into writer: inout ByteWriter) {
    for mark in [finished, evictedThrough] {
      writer.put(mark.key.epoch)
      writer.put(mark.key.sequence)
      writer.put(mark.ordinal)
    }
    writer.put(position?.offset ?? 0)
    writer.put(position?.partition ?? -1)
    writer.put(UInt32(position == nil ? 0 : 1))
  }

  init?(from reader: inout ByteReader) {
    guard let finished = Mark(from: &reader), let evictedThrough = Mark(from: &reader),
      let offset: Int64 = reader.take(), let partition: Int32 = reader.take(), let flags: UInt32 = reader.take()
    else { return nil }
    (self.finished, self.evictedThrough) = (finished, evictedThrough)
    // An offset is added to; one that cannot be is no position.
    let isPosition = flags & 1 != 0 && partition >= 0 && (0..<Int64(1) << 62).contains(offset)
    position = isPosition ? LogPosition(partition: partition, offset: offset) : nil
  }
}

/// Ordinals, generations and epochs are below this: none grows so far in the life of a disk, and a forged one must not make
/// a sum overflow. What stands on disk and is not below it is damage, whatever its checksum says.
let numberLimit: UInt64 = 1 << 48

/// Opening refuses a ring whose numbers come so close: what is written next would be refused by the opening after it.
let numberReserve: UInt64 = 1 << 32

extension Mark {
  /// nil for numbers that cannot be.
  init?(epoch: UInt64, sequence: UInt64, ordinal: UInt64) {
    guard epoch < numberLimit, ordinal < numberLimit else { return nil }
    self.init(key: RecordKey(epoch: epoch, sequence: sequence), ordinal: ordinal)
  }

  init?(from reader: inout ByteReader) {
    guard let epoch: UInt64 = reader.take(), let sequence: UInt64 = reader.take(), let ordinal: UInt64 = reader.take()
    else { return nil }
    self.init(epoch: epoch, sequence: sequence, ordinal: ordinal)
  }
}

/// What stands at the beginning of a segment.
struct SegmentHeader: Equatable {
  static let magic: UInt64 = 0x3147_4553_474d_4143
  /// Copies lie at multiples of this.
  static let alignment = 4096
  /// How much of a segment a stream table may take.
  static func largestByteCount(segmentByteCount: Int) -> Int { segmentByteCount / 32 }

  var identity: SegmentIdentity
  var cuts: [Cut]
  var streams: [StreamTableEntry]

  /// One copy with its padding.
  func encoded() -> [UInt8] {
    var body = ByteWriter()
    body.put(identity.ringID)
    body.put(identity.generation)
    body.put(identity.slot)
    body.put(identity.segmentByteCount)
    body.put(identity.epoch)
    body.put(UInt32(cuts.count))
    body.put(UInt32(streams.count))
    for cut in cuts {
      body.put(cut.generation)
      body.put(UInt64(cut.offset))
    }
    for stream in streams { stream.encode(into: &body) }
    var writer = ByteWriter()
    writer.put(SegmentHeader.magic)
    writer.put(formatVersion)
    writer.put(UInt32(16 + body.bytes.count + 8))
    writer.put(body.bytes)
    writer.put(Checksum.of(writer.bytes, seed: SegmentHeader.magic))
    writer.pad(to: writer.bytes.count.roundedUp(to: SegmentHeader.alignment))
    return writer.bytes
  }

  /// So much of a copy says whose it is.
  static let identityByteCount = 48

  /// What the beginning of a copy says: its identity, and how many bytes the copy takes with its padding. Not verified.
  static func decodeIdentity(_ bytes: UnsafeRawBufferPointer) -> (identity: SegmentIdentity, byteCount: Int)? {
    var reader = ByteReader(bytes)
    guard reader.take() == magic, reader.take() == formatVersion, let count: UInt32 = reader.take(),
      let ringID: UInt64 = reader.take(), let generation: UInt64 = reader.take(), let slot: UInt32 = reader.take(),
      let segmentByteCount: UInt32 = reader.take(), let epoch: UInt64 = reader.take()
    else { return nil }
    let identity = SegmentIdentity(
      ringID: ringID, generation: generation, slot: slot, segmentByteCount: segmentByteCount, epoch: epoch)
    return (identity, Int(count).roundedUp(to: alignment))
  }

  /// A valid copy at the beginning of `bytes`, and how many bytes it takes with its padding.
  static func decode(_ bytes: UnsafeRawBufferPointer) -> (header: SegmentHeader, byteCount: Int)? {
    var reader = ByteReader(bytes)
    guard reader.take() == magic, reader.take() == formatVersion, let count: UInt32 = reader.take(),
      count >= 24, Int(count) <= bytes.count
    else { return nil }
    let content = UnsafeRawBufferPointer(rebasing: bytes[..<(Int(count) - 8)])
    guard Checksum.of(content, seed: magic) == bytes.integer(at: Int(count) - 8) else { return nil }
    guard let (identity, byteCount) = decodeIdentity(content), max(identity.generation, identity.epoch) < numberLimit
    else { return nil }
    reader = ByteReader(content, at: 48)
    guard let cutCount: UInt32 = reader.take(), let streamCount: UInt32 = reader.take() else { return nil }
    var cuts: [Cut] = []
    for _ in 0..<cutCount {
      guard let generation: UInt64 = reader.take(), let offset: UInt64 = reader.take() else { return nil }
      cuts.append(Cut(generation: generation, offset: Int(clamping: offset)))
    }
    var streams: [StreamTableEntry] = []
    for _ in 0..<streamCount {
      guard let stream = StreamTableEntry(from: &reader) else { return nil }
      streams.append(stream)
    }
    return (SegmentHeader(identity: identity, cuts: cuts, streams: streams), byteCount)
  }
}
