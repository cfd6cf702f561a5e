import Frames

// Which pictures after an open GOP's first one are shown before it, and so may refer to what came before. H.265 says so in
// the NAL unit's type; in H.264 only the picture order counts do.

/// The leading pictures of one stream. A value.
struct LeadingPictures {
  /// The order count of the keyframe whose leading pictures may still come.
  private var keyframeOrder: PictureOrder?

  /// A keyframe that is whole at once was seen. Others have no leading pictures that matter.
  mutating func begin(_ unit: AccessUnit, _ bytes: UnsafeRawBufferPointer, _ codec: Codec, _ sets: ParameterSets) {
    let isOpen = codec == .h264 && !unit.isIDR && unit.recovery == 0
    keyframeOrder = isOpen ? PictureOrder(bytes, sets) : nil
  }

  /// Whether a picture that is no keyframe may need what came before the last keyframe. Leading pictures come right after
  /// their keyframe: the first one that is shown after it ends them.
  mutating func contains(
    _ unit: AccessUnit, _ bytes: UnsafeRawBufferPointer, _ codec: Codec, _ sets: ParameterSets
  ) -> Bool {
    if codec == .h265 { return unit.isSkipped }
    guard let keyframeOrder else { return false }
    if let order = PictureOrder(bytes, sets), order.isBefore(keyframeOrder) { return true }
    self.keyframeOrder = nil
    return false
  }
}

/// The least significant bits of a picture order count (H.264, 8.2.1.1).
struct PictureOrder: Equatable {
  private(set) var value: Int
  private var bitCount: Int

  /// nil unless the access unit's first slice and its parameter sets say it (pic_order_cnt_type 0).
  init?(_ bytes: UnsafeRawBufferPointer, _ sets: ParameterSets) {
    let units = NALUnitSequence(bytes, codec: .h264)
    guard let slice = units.first(where: { $0.kind == .slice }) else { return nil }
    var bits = BitReader(slice)
    bits.skip(3)
    guard let type = bits.read(5), bits.unsignedExponential() != nil, bits.unsignedExponential() != nil,
      let number = bits.unsignedExponential(), let coding = sets.sequence(ofPictureSet: number), coding.orderBits > 0,
      bits.read(coding.planeBits) != nil, bits.read(coding.frameNumberBits) != nil
    else { return nil }
    if !coding.hasOnlyFrames, bits.read(1) == 1 { bits.skip(1) }
    if type == 5, bits.unsignedExponential() == nil { return nil }
    guard let value = bits.read(coding.orderBits) else { return nil }
    (self.value, bitCount) = (value, coding.orderBits)
  }

  /// Whether it is shown before `other`, a picture near it.
  func isBefore(_ other: PictureOrder) -> Bool {
    let step = (value - other.value) & (1 << bitCount - 1)
    return bitCount == other.bitCount && step >= 1 << (bitCount - 1)
  }
}

extension ParameterSets {
  /// The sequence parameter set that an H.264 picture parameter set refers to (7.3.2.2).
  fileprivate func sequence(ofPictureSet number: Int) -> SequenceParameterSet? {
    let sequence = withUnit(.pictureParameterSet, number) { unit -> Int? in
      var bits = BitReader(unit)
      bits.skip(8)
      _ = bits.unsignedExponential()
      return bits.unsignedExponential()
    }
    return sequence.flatMap { withUnit(.sequenceParameterSet, $0) { SequenceParameterSet($0, codec: .h264) } }
  }
}
