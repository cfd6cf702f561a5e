import Frames

// What an access unit says of itself: whether a picture is in it, begun by its first slice, and whether decoding may begin
// there. Neither FFmpeg's parser nor a driver is asked: the parser calls a P picture whose first slice is I a keyframe, and
// any picture with a recovery point (libavcodec/h264_parser.c). Read as far as needed, mostly the first slice's first bytes.

/// A first look at an access unit of H.264 or H.265.
struct AccessUnit: Equatable {
  /// Whether there is a slice in it; parameter sets may come by themselves.
  private(set) var hasPicture = false
  /// Whether there is anything in it that a stream may consist of.
  private(set) var isPlausible = false
  /// Whether the slice that a picture begins with is there (first_mb_in_slice 0, first_slice_segment_in_pic_flag 1).
  private(set) var hasFirstSlice = false
  /// Decoding may begin here, and this many decoded pictures later what comes out is whole (H.264: reference pictures);
  /// nil where it may not begin.
  private(set) var recovery: Int?
  /// An IDR picture: no later picture refers to one before it.
  private(set) var isIDR = false
  /// It refers to pictures before the CRA picture that it follows (H.265: RASL).
  private(set) var isSkipped = false
  /// No picture refers to it (H.264: nal_ref_idc 0).
  private(set) var isDisposable = false
  /// What a recovery point before the slices says.
  private var recoveryPoint: Int?
  private var isIntra = true

  init(_ bytes: UnsafeRawBufferPointer, codec: Codec) {
    for unit in NALUnitSequence(bytes, codec: codec) {
      switch codec {
      case .h265: take5(unit)
      case .h264, .mjpeg: take4(unit)
      }
      // Only a recovery point needs to know of all slices.
      if hasFirstSlice, isIDR || recoveryPoint != 0 { break }
    }
    guard hasFirstSlice, recovery == nil, let recoveryPoint else { return }
    // A picture that is whole at once is made of nothing but itself.
    if recoveryPoint > 0 || isIntra { recovery = recoveryPoint }
  }

  /// H.264, 7.3.1 and 7.3.3.
  private mutating func take4(_ unit: NALUnit) {
    var bits = BitReader(unit)
    bits.skip(1)
    guard let importance = bits.read(2), let type = bits.read(5) else { return }
    isPlausible = isPlausible || type > 0
    switch type {
    case 6:
      let payload = SEIMessages(bits).first(ofType: 6)
      if var payload, recoveryPoint == nil { recoveryPoint = payload.unsignedExponential() }
    case 1, 2, 5:
      // What cannot be read is no first slice, and an intra one even less.
      let first = bits.unsignedExponential()
      let sliceType = bits.unsignedExponential()
      (hasPicture, isDisposable) = (true, importance == 0)
      hasFirstSlice = hasFirstSlice || first == 0
      isIntra = isIntra && [2, 4, 7, 9].contains(sliceType)
      if type == 5 { (isIDR, recovery) = (true, 0) }
    default: break
    }
  }

  /// H.265, 7.3.1.2 and 7.3.6.1; table 7-1 for the types.
  private mutating func take5(_ unit: NALUnit) {
    var bits = BitReader(unit)
    bits.skip(1)
    guard let type = bits.read(6), let layer = bits.read(6), bits.read(3) != nil, layer == 0 else { return }
    isPlausible = true
    switch type {
    case 39:
      let payload = SEIMessages(bits).first(ofType: 6)
      // A recovery point of 0 pictures that is no IRAP picture would need the picture's parameter sets to be judged.
      if var payload, let count = payload.signedExponential(), count > 0 { recoveryPoint = count }
    case 0...9, 16...21:
      hasPicture = true
      hasFirstSlice = hasFirstSlice || bits.read(1) == 1
      isSkipped = type == 8 || type == 9
      if type >= 16 { (isIDR, recovery) = (type == 19 || type == 20, 0) }
    default: break
    }
  }
}

/// The messages of an SEI NAL unit (H.264, 7.3.2.3.1; H.265, 7.3.5).
private struct SEIMessages {
  private var bits: BitReader

  init(_ bits: BitReader) { self.bits = bits }

  /// Where the payload of the first message of a type begins; nil when there is none.
  func first(ofType wanted: Int) -> BitReader? {
    var bits = bits
    while let type = SEIMessages.number(&bits), let size = SEIMessages.number(&bits) {
      if type == wanted { return bits }
      bits.skip(8 * size)
    }
    return nil
  }

  /// Bytes of 255 and one below are added up; nil at the end, and for more than any message has.
  private static func number(_ bits: inout BitReader) -> Int? {
    var sum = 0
    while let byte = bits.read(8), sum < 1 << 16 {
      sum += byte
      if byte < 255 { return sum }
    }
    return nil
  }
}
