import Posix

// Superblock and cursor: small files of two slots, far enough apart that no erase block, sector or page is shared. The
// newer valid slot counts. A slot is overwritten only when the other one is known to be durable.
//
//   slot       magic 8 · version 4 · byteCount 4 · turn 8 · ring id 8 · content · checksum 8

/// What is in the slots of a file.
struct DoubleSlot {
  static let distance = 64 << 10
  static let fileByteCount = 2 * distance
  private static let headByteCount = 32
  private static let blockByteCount = 4_096
  /// What fits into a slot.
  static let largestContent = distance - headByteCount - 8

  enum State: Equatable {
    /// Never written.
    case blank
    case valid(turn: UInt64, ringID: UInt64, content: [UInt8])
    case damaged
    /// Sound, but of a version this program does not know.
    case newer(UInt32)
  }

  static func encode(magic: UInt64, turn: UInt64, ringID: UInt64, content: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.put(magic)
    writer.put(formatVersion)
    writer.put(UInt32(headByteCount + content.count + 8))
    writer.put(turn)
    writer.put(ringID)
    writer.put(content)
    writer.put(Checksum.of(writer.bytes, seed: magic))
    // Whole blocks: what cannot be read can only be written as a whole.
    writer.pad(to: writer.bytes.count.roundedUp(to: blockByteCount))
    return writer.bytes
  }

  /// One slot of an open file, no more of it than there is.
  static func read(
    _ slot: Int, of file: FileNumber, _ storage: any Storage, magic: UInt64
  ) throws(SystemError) -> State {
    let start = slot * distance
    var bytes = try storage.bytes(of: file, at: start, byteCount: blockByteCount)
    let told: UInt32? = bytes.withUnsafeBytes { $0.count < headByteCount ? nil : $0.integer(at: 12) }
    if let told, Int(told) > bytes.count, Int(told) <= distance {
      bytes += try storage.bytes(of: file, at: start + bytes.count, byteCount: Int(told) - bytes.count)
    }
    return bytes.withUnsafeBytes { decode($0, magic: magic) }
  }

  static func decode(_ bytes: UnsafeRawBufferPointer, magic: UInt64) -> State {
    if bytes.prefix(headByteCount).allSatisfy({ $0 == 0 }) { return .blank }
    var reader = ByteReader(bytes)
    guard reader.take() == magic, let version: UInt32 = reader.take(), let count: UInt32 = reader.take(),
      count >= headByteCount + 8, Int(count) <= bytes.count, let turn: UInt64 = reader.take(),
      let ringID: UInt64 = reader.take()
    else { return .damaged }
    let content = UnsafeRawBufferPointer(rebasing: bytes[..<(Int(count) - 8)])
    guard Checksum.of(content, seed: magic) == bytes.integer(at: Int(count) - 8) else { return .damaged }
    if version > formatVersion { return .newer(version) }
    return .valid(turn: turn, ringID: ringID, content: Array(content[headByteCount...]))
  }
}

/// What the superblock keeps.
struct Superblock: Equatable {
  static let fileName = "superblock"
  static let magic: UInt64 = 0x3142_5553_474d_4143

  var epoch: UInt64
  /// Bytes of the ring, decided when it was made (`auto`) or set since.
  var byteCount: Int
  var segmentByteCount: Int
  /// What a failed sync has made void, as the headers behind it say as well: bits rot, and then it must not come back.
  var cuts: [Cut] = []

  /// A segment that ends earlier than its bytes do.
  struct Cut: Equatable {
    var generation: UInt64
    /// Of the segment: the number of a lost generation is used again.
    var epoch: UInt64
    var offset: UInt64
  }

  /// The newest so many are kept.
  private static let largestCutCount = 256

  func encoded() -> [UInt8] {
    var writer = ByteWriter()
    writer.put(epoch)
    writer.put(UInt64(byteCount))
    writer.put(UInt64(segmentByteCount))
    let kept = cuts.suffix(Superblock.largestCutCount)
    writer.put(UInt64(kept.count))
    for cut in kept {
      for number in [cut.generation, cut.epoch, cut.offset] { writer.put(number) }
    }
    return writer.bytes
  }

  init(epoch: UInt64, byteCount: Int, segmentByteCount: Int, cuts: [Cut] = []) {
    (self.epoch, self.byteCount, self.segmentByteCount, self.cuts) = (epoch, byteCount, segmentByteCount, cuts)
  }

  init?(_ content: [UInt8]) {
    let numbers: [UInt64]? = content.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      var numbers: [UInt64] = []
      while let number: UInt64 = reader.take() { numbers.append(number) }
      return numbers.count >= 4 && UInt64(numbers.count - 4) / 3 >= numbers[3] ? numbers : nil
    }
    guard let numbers, numbers[0] < numberLimit, numbers[1] < numberLimit,
      (1...UInt64(UInt32.max)).contains(numbers[2])
    else { return nil }
    let cuts = (0..<Int(numbers[3])).map { index in
      Cut(generation: numbers[4 + index * 3], epoch: numbers[5 + index * 3], offset: numbers[6 + index * 3])
    }
    self.init(
      epoch: numbers[0], byteCount: Int(clamping: numbers[1]), segmentByteCount: Int(clamping: numbers[2]), cuts: cuts)
  }
}

/// What the cursor file keeps: entries by the hash of the stream's description, so that they find their streams even
/// when no segment names them.
enum CursorFile {
  static let fileName = "cursor"
  static let magic: UInt64 = 0x3152_5543_474d_4143
  /// So many entries fit into a slot with room to spare.
  static let largestEntryCount = 800

  static func encode(_ entries: [UInt64: CursorEntry]) -> [UInt8] {
    var writer = ByteWriter()
    writer.put(UInt32(entries.count))
    for (hash, entry) in entries.sorted(by: { $0.key < $1.key }) {
      writer.put(hash)
      entry.encode(into: &writer)
    }
    return writer.bytes
  }

  static func decode(_ content: [UInt8]) -> [UInt64: CursorEntry]? {
    content.withUnsafeBytes { bytes -> [UInt64: CursorEntry]? in
      var reader = ByteReader(bytes)
      var entries: [UInt64: CursorEntry] = [:]
      guard let count: UInt32 = reader.take() else { return nil }
      for _ in 0..<count {
        guard let hash: UInt64 = reader.take(), let entry = CursorEntry(from: &reader) else { return nil }
        entries[hash] = entry
      }
      return entries
    }
  }
}

extension StreamDescription {
  /// What the cursor file knows it by.
  var hash: UInt64 { Checksum.of(Array(name.utf8) + [0] + Array(topic.utf8), seed: CursorFile.magic) }
}
