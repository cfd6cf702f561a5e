// A record: 72 bytes of header, the caller's metadata, the payload, zeros up to a multiple of 8. Header and body have a
// checksum each, both salted with the segment's generation and the record's place: a damaged body does not cost the way
// to the next record, and a record found anywhere else is none.
//
//   magic 4 · tag 4 · kind 1 · flags 1 · stream 2 · metadata bytes 4 · payload bytes 4 · zero 4 · ordinal 8 · epoch 8
//   · sequence 8 · time 8 · body checksum 8 · header checksum 8

/// What is known of a record without its body.
struct RecordHeader: Equatable {
  enum Kind: UInt8 { case frame = 1, declaration = 2 }

  static let byteCount = 72
  static let magic: UInt32 = 0x3152_4743
  private static let keyframeFlag: UInt8 = 1

  var kind: Kind
  var stream: UInt16
  var isKeyframe: Bool
  var metadataByteCount: Int
  var payloadByteCount: Int
  var mark: Mark
  var captureTime: Int64
  var bodyChecksum: UInt64

  var bodyByteCount: Int { metadataByteCount + payloadByteCount }
  /// The whole record with its padding.
  var recordByteCount: Int { RecordHeader.recordByteCount(body: bodyByteCount) }

  static func recordByteCount(body: Int) -> Int { (byteCount + body).roundedUp(to: 8) }

  /// The first 8 bytes of every record of a generation.
  static func marker(salt: UInt64) -> UInt64 { UInt64(magic) | salt << 32 }

  static func seed(salt: UInt64, offset: Int) -> UInt64 { salt &+ UInt64(offset) }

  func encode(into bytes: UnsafeMutableRawBufferPointer, salt: UInt64, offset: Int) {
    func put<Value: FixedWidthInteger>(_ value: Value, _ place: Int) {
      bytes.storeBytes(of: value.littleEndian, toByteOffset: place, as: Value.self)
    }
    put(RecordHeader.marker(salt: salt), 0)
    put(kind.rawValue, 8)
    put(isKeyframe ? RecordHeader.keyframeFlag : 0, 9)
    put(stream, 10)
    put(UInt32(metadataByteCount), 12)
    put(UInt32(payloadByteCount), 16)
    put(UInt32(0), 20)
    put(mark.ordinal, 24)
    put(mark.key.epoch, 32)
    put(mark.key.sequence, 40)
    put(captureTime, 48)
    put(bodyChecksum, 56)
    let content = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<64])
    put(Checksum.of(content, seed: RecordHeader.seed(salt: salt, offset: offset)), 64)
  }

  /// The header at the beginning of `bytes`, which was read at `offset`; nil when it is none of this generation.
  static func decode(_ bytes: UnsafeRawBufferPointer, salt: UInt64, offset: Int) -> RecordHeader? {
    guard bytes.count >= byteCount, bytes.integer(UInt64.self, at: 0) == marker(salt: salt),
      let kind = Kind(rawValue: bytes[8])
    else { return nil }
    let content = UnsafeRawBufferPointer(rebasing: bytes[..<64])
    guard Checksum.of(content, seed: seed(salt: salt, offset: offset)) == bytes.integer(at: 64),
      let mark = Mark(epoch: bytes.integer(at: 32), sequence: bytes.integer(at: 40), ordinal: bytes.integer(at: 24))
    else { return nil }
    return RecordHeader(
      kind: kind, stream: bytes.integer(at: 10), isKeyframe: bytes[9] & keyframeFlag != 0,
      metadataByteCount: Int(bytes.integer(UInt32.self, at: 12)),
      payloadByteCount: Int(bytes.integer(UInt32.self, at: 16)),
      mark: mark,
      captureTime: bytes.integer(at: 48), bodyChecksum: bytes.integer(at: 56))
  }

  /// Whether a header of this generation stood here and was damaged: at least six bytes of the marker are left. Stale
  /// bytes of an earlier generation have another tag.
  static func resembles(_ bytes: UnsafeRawBufferPointer, salt: UInt64) -> Bool {
    guard bytes.count >= 8 else { return false }
    var difference = bytes.integer(UInt64.self, at: 0) ^ marker(salt: salt)
    var damaged = 0
    while difference != 0 {
      if difference & 0xff != 0 { damaged += 1 }
      difference >>= 8
    }
    return damaged <= 2
  }
}
