import CXXHash
import Glibc

// Little-endian integers in raw memory, and XXH3-64.

extension UnsafeRawBufferPointer {
  /// The integer at `offset`, which must be inside.
  func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self, at offset: Int) -> Value {
    Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
  }
}

/// Builds a small structure field by field.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put<Value: FixedWidthInteger>(_ value: Value) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func put(_ text: some Sequence<UInt8>) { bytes.append(contentsOf: text) }

  /// Zeros up to `byteCount`.
  mutating func pad(to byteCount: Int) {
    bytes.append(contentsOf: repeatElement(0, count: Swift.max(0, byteCount - bytes.count)))
  }
}

/// Takes a small structure apart; every answer is nil once the bytes have ended.
struct ByteReader {
  let bytes: UnsafeRawBufferPointer
  private(set) var offset: Int

  init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) { (self.bytes, self.offset) = (bytes, offset) }

  mutating func take<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value? {
    let size = MemoryLayout<Value>.size
    guard bytes.count - offset >= size else { return nil }
    defer { offset += size }
    return bytes.integer(at: offset)
  }

  mutating func take(byteCount: Int) -> UnsafeRawBufferPointer? {
    guard byteCount >= 0, bytes.count - offset >= byteCount else { return nil }
    defer { offset += byteCount }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + byteCount)])
  }
}

/// XXH3-64 (the xxHash specification, "XXH3 algorithm"), seeded.
enum Checksum {
  static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
    XXH3_64bits_withSeed(bytes.baseAddress, bytes.count, seed)
  }

  static func of(_ bytes: [UInt8], seed: UInt64) -> UInt64 { bytes.withUnsafeBytes { of($0, seed: seed) } }
}

/// XXH3-64 over pieces as if they were one. One state serves many sums.
final class ChecksumState {
  private let state: OpaquePointer

  init() {
    guard let state = XXH3_createState() else { preconditionFailure("out of memory for a checksum") }
    self.state = state
  }

  deinit { XXH3_freeState(state) }

  func checksum(of pieces: ArraySlice<UnsafeRawBufferPointer>, seed: UInt64) -> UInt64 {
    if let only = pieces.first, pieces.count == 1 { return Checksum.of(only, seed: seed) }
    XXH3_64bits_reset_withSeed(state, seed)
    for piece in pieces where !piece.isEmpty { XXH3_64bits_update(state, piece.baseAddress, piece.count) }
    return XXH3_64bits_digest(state)
  }
}

extension Int {
  /// The next multiple of `unit`, a power of two.
  func roundedUp(to unit: Int) -> Int { (self + unit - 1) & ~(unit - 1) }
}
