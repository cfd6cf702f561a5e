// The bits of a NAL unit, as H.264 and H.265 write numbers.

/// Reads bits of a NAL unit after its start code, without the emulation prevention bytes (H.264, 7.3.1). Past the end every
/// read gives nil.
struct BitReader {
  private let bytes: UnsafeRawBufferPointer
  private var index: Int
  private var bit = 0
  private var zeroCount = 0

  init(_ unit: NALUnit) {
    bytes = unit.bytes
    index = (bytes.firstIndex { $0 == 1 } ?? bytes.count - 1) + 1
  }

  /// u(count); nil at the end.
  mutating func read(_ count: Int) -> Int? {
    var value = 0
    for _ in 0..<count {
      guard index < bytes.count else { return nil }
      value = value << 1 | Int(bytes[index] >> (7 - bit) & 1)
      bit += 1
      if bit == 8 { nextByte() }
    }
    return value
  }

  mutating func skip(_ count: Int) {
    for _ in 0..<count where read(1) == nil { return }
  }

  private mutating func nextByte() {
    zeroCount = bytes[index] == 0 ? zeroCount + 1 : 0
    (index, bit) = (index + 1, 0)
    if zeroCount >= 2, index < bytes.count, bytes[index] == 3 { (index, zeroCount) = (index + 1, 0) }
  }

  /// ue(v) (H.264, 9.1); nil at the end, or for more than 2^(zeroLimit + 1) - 2.
  mutating func unsignedExponential(zeroLimit: Int = 31) -> Int? {
    var zeros = 0
    while let bit = read(1), bit == 0 {
      zeros += 1
      if zeros > zeroLimit { return nil }
    }
    return read(zeros).map { $0 + (1 << zeros) - 1 }
  }

  /// se(v) (H.264, 9.1.1).
  mutating func signedExponential() -> Int? {
    unsignedExponential().map { $0 % 2 == 0 ? -($0 / 2) : ($0 + 1) / 2 }
  }
}
