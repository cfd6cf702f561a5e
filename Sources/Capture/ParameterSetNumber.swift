import Frames

// Which of several parameter sets of a kind one is: the only bit field Camgate reads by itself, because the number stands
// in the first bytes and decides what replaces what.

enum ParameterSetNumber {
  /// The number of a parameter set (H.264, 7.3.2.1.1 and 7.3.2.2; H.265, 7.3.2.1 to 7.3.2.3); 0 for one that is damaged.
  static func number(of unit: NALUnit, codec: Codec) -> Int {
    var bits = BitReader(unit)
    switch (codec, unit.kind) {
    case (.h264, .sequenceParameterSet):
      bits.skip(8 + 24)  // header, profile, constraints, level
      return bits.unsignedExponential() ?? 0
    case (.h264, .pictureParameterSet):
      bits.skip(8)
      return bits.unsignedExponential() ?? 0
    case (.h265, .videoParameterSet):
      bits.skip(16)
      return bits.read(4) ?? 0
    case (.h265, .sequenceParameterSet):
      bits.skip(16 + 4)
      let layers = bits.read(3) ?? 0
      bits.skip(1)
      bits.skipProfileTierLevel(layersMinus1: layers)
      return bits.unsignedExponential() ?? 0
    case (.h265, .pictureParameterSet):
      bits.skip(16)
      return bits.unsignedExponential() ?? 0
    default: return 0
    }
  }
}

/// Reads bits of a NAL unit behind its start code, without the emulation prevention bytes (H.264, 7.3.1).
private struct BitReader {
  private let bytes: UnsafeRawBufferPointer
  private var index: Int
  private var bit = 0
  private var zeroCount = 0

  init(_ unit: NALUnit) {
    bytes = unit.bytes
    index = (bytes.firstIndex { $0 == 1 } ?? bytes.count - 1) + 1
  }

  /// nil at the end.
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
    for _ in 0..<count { _ = read(1) }
  }

  private mutating func nextByte() {
    zeroCount = bytes[index] == 0 ? zeroCount + 1 : 0
    (index, bit) = (index + 1, 0)
    if zeroCount >= 2, index < bytes.count, bytes[index] == 3 { (index, zeroCount) = (index + 1, 0) }
  }

  /// ue(v) (H.264, 9.1); nil at the end, or for more than any parameter set's number.
  mutating func unsignedExponential() -> Int? {
    var zeros = 0
    while let bit = read(1), bit == 0 {
      zeros += 1
      if zeros > 8 { return nil }
    }
    return read(zeros).map { $0 + (1 << zeros) - 1 }
  }

  /// profile_tier_level(1, layersMinus1) (H.265, 7.3.3).
  mutating func skipProfileTierLevel(layersMinus1: Int) {
    skip(88 + 8)
    guard layersMinus1 > 0 else { return }
    let present = (0..<layersMinus1).map { _ in (read(1) == 1, read(1) == 1) }
    skip(2 * (8 - layersMinus1))
    for (hasProfile, hasLevel) in present { skip((hasProfile ? 88 : 0) + (hasLevel ? 8 : 0)) }
  }
}
