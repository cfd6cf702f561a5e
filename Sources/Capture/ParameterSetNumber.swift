import Frames

// Which of several parameter sets of a kind one is: the number stands in the first bytes and decides what replaces what.

enum ParameterSetNumber {
  /// The number of a parameter set (H.264, 7.3.2.1.1 and 7.3.2.2; H.265, 7.3.2.1 to 7.3.2.3); 0 for one that is damaged.
  static func number(of unit: NALUnit, codec: Codec) -> Int {
    var bits = BitReader(unit)
    switch (codec, unit.kind) {
    case (.h264, .sequenceParameterSet):
      bits.skip(8 + 24)  // header, profile, constraints, level
      return bits.unsignedExponential(zeroLimit: 8) ?? 0
    case (.h264, .pictureParameterSet):
      bits.skip(8)
      return bits.unsignedExponential(zeroLimit: 8) ?? 0
    case (.h265, .videoParameterSet):
      bits.skip(16)
      return bits.read(4) ?? 0
    case (.h265, .sequenceParameterSet):
      bits.skipToNumber()
      return bits.unsignedExponential(zeroLimit: 8) ?? 0
    case (.h265, .pictureParameterSet):
      bits.skip(16)
      return bits.unsignedExponential(zeroLimit: 8) ?? 0
    default: return 0
    }
  }
}

extension BitReader {
  /// From the beginning of an H.265 sequence parameter set to its number (7.3.2.2.1).
  mutating func skipToNumber() {
    skip(16 + 4)
    let layers = read(3) ?? 0
    skip(1)
    skipProfileTierLevel(layersMinus1: layers)
  }

  /// profile_tier_level(1, layersMinus1) (H.265, 7.3.3).
  private mutating func skipProfileTierLevel(layersMinus1: Int) {
    skip(88 + 8)
    guard layersMinus1 > 0 else { return }
    let present = (0..<layersMinus1).map { _ in (read(1) == 1, read(1) == 1) }
    skip(2 * (8 - layersMinus1))
    for (hasProfile, hasLevel) in present { skip((hasProfile ? 88 : 0) + (hasLevel ? 8 : 0)) }
  }
}
