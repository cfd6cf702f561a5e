import Frames

// What a sequence parameter set says of the pictures to come: how large they are, and in H.264 how their slices begin.

/// A sequence parameter set (H.264, 7.3.2.1.1; H.265, 7.3.2.2.1).
struct SequenceParameterSet {
  /// In samples, without what is cropped.
  private(set) var width = 0
  private(set) var height = 0
  /// Bits of a slice's colour plane, of its frame number and of its order count; the last is 0 where slices do not say it
  /// (a pic_order_cnt_type other than 0). H.264 only.
  private(set) var planeBits = 0
  private(set) var frameNumberBits = 0
  private(set) var orderBits = 0
  private(set) var hasOnlyFrames = true

  /// nil for one that is damaged.
  init?(_ unit: NALUnit, codec: Codec) {
    var bits = BitReader(unit)
    guard codec == .h265 ? readH265(&bits) : readH264(&bits), width > 0, height > 0 else { return nil }
  }

  private mutating func readH264(_ bits: inout BitReader) -> Bool {
    bits.skip(8)
    guard let profile = bits.read(8) else { return false }
    bits.skip(16)
    _ = bits.unsignedExponential()
    var format = 1
    if SequenceParameterSet.highProfiles.contains(profile) {
      format = bits.unsignedExponential() ?? 1
      if format == 3, bits.read(1) == 1 { planeBits = 2 }
      _ = (bits.unsignedExponential(), bits.unsignedExponential())
      bits.skip(1)
      if bits.read(1) == 1 { SequenceParameterSet.skipScalingLists(&bits, count: format == 3 ? 12 : 8) }
    }
    guard let frameNumber = bits.unsignedExponential(zeroLimit: 4), frameNumber <= 12, readOrder(&bits),
      bits.unsignedExponential() != nil, bits.read(1) != nil, let columns = bits.unsignedExponential(zeroLimit: 12),
      let rows = bits.unsignedExponential(zeroLimit: 12), let onlyFrames = bits.read(1)
    else { return false }
    (frameNumberBits, hasOnlyFrames) = (frameNumber + 4, onlyFrames == 1)
    if !hasOnlyFrames { bits.skip(1) }
    bits.skip(1)
    let fields = hasOnlyFrames ? 1 : 2
    (width, height) = (16 * (columns + 1), 16 * (rows + 1) * fields)
    crop(&bits, format: planeBits == 0 ? format : 0, fields: fields)
    return true
  }

  /// Up to the number of reference frames.
  private mutating func readOrder(_ bits: inout BitReader) -> Bool {
    switch bits.unsignedExponential() {
    case 0:
      guard let order = bits.unsignedExponential(zeroLimit: 4), order <= 12 else { return false }
      orderBits = order + 4
    case 1:
      bits.skip(1)
      _ = (bits.signedExponential(), bits.signedExponential())
      guard let count = bits.unsignedExponential(zeroLimit: 8) else { return false }
      for _ in 0..<count { _ = bits.signedExponential() }
    case 2: break
    default: return false
    }
    return true
  }

  private mutating func readH265(_ bits: inout BitReader) -> Bool {
    bits.skipToNumber()
    guard bits.unsignedExponential() != nil, let format = bits.unsignedExponential() else { return false }
    if format == 3 { bits.skip(1) }
    guard let width = bits.unsignedExponential(zeroLimit: 16), let height = bits.unsignedExponential(zeroLimit: 16)
    else { return false }
    (self.width, self.height) = (width, height)
    crop(&bits, format: format, fields: 1)
    return true
  }

  /// A flag, then four numbers in units of the chroma format: left, right, top, bottom.
  private mutating func crop(_ bits: inout BitReader, format: Int, fields: Int) {
    guard bits.read(1) == 1 else { return }
    let edges = (0..<4).map { _ in bits.unsignedExponential(zeroLimit: 16) ?? 0 }
    width -= (edges[0] + edges[1]) * (format == 1 || format == 2 ? 2 : 1)
    height -= (edges[2] + edges[3]) * (format == 1 ? 2 : 1) * fields
  }

  /// Those whose sequence parameter sets say more of colours.
  private static let highProfiles: Set = [44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244]

  /// scaling_list (H.264, 7.3.2.1.1.1).
  private static func skipScalingLists(_ bits: inout BitReader, count: Int) {
    for list in 0..<count where bits.read(1) == 1 {
      var (last, next) = (8, 8)
      for _ in 0..<(list < 6 ? 16 : 64) {
        if next != 0 {
          guard let step = bits.signedExponential() else { return }
          next = (last + step) & 0xff
        }
        if next != 0 { last = next }
      }
    }
  }
}
