import Frames

// From what a source hands out to what leaves Capture. Invariants: nothing before the first keyframe; every keyframe
// carries its parameter sets; after damage nothing passes until the next keyframe, and that one says what is missing.

/// Judges the packets of one connection. A value with no clock and no I/O.
struct Normalizer {
  /// What came of a packet.
  enum Output {
    case frame(payload: Payload, isKeyframe: Bool, width: Int, height: Int, gap: Gap?)
    case dropped
  }

  private let codec: Codec
  private let look: (UnsafeRawBufferPointer, Codec) -> PictureInformation?
  private var parameterSets: ParameterSets
  /// What the parameter sets in force say.
  private(set) var pictures: PictureInformation?
  /// nil until frames flow: why the next keyframe is waited for.
  private var isWaitingForKeyframe = true
  private var hasPassed = false
  private var gap: Gap?
  /// Keyframes that were dropped because nobody could decode them.
  private(set) var undecodableKeyframeCount = 0

  /// `gap` is what was lost before this connection; nil at a camera's first.
  /// `look` says what a keyframe with its parameter sets is, or nil when it cannot be decoded.
  init(
    stream: SourceStream, gap: Gap?,
    look: @escaping (UnsafeRawBufferPointer, Codec) -> PictureInformation? = {
      PictureInformation(keyframe: $0, codec: $1)
    }
  ) {
    (codec, self.gap, self.look) = (stream.codec, gap, look)
    parameterSets = stream.parameterSets.withUnsafeBytes { ParameterSets(codec: stream.codec, outOfBand: $0) }
  }

  /// What the frame in front of `packet` was is known from the packets before it.
  mutating func take(_ packet: SourcePacket) -> Output {
    if packet.isSuspect && codec == .mjpeg {
      // FFmpeg puts a JPEG together whole or not at all (libavformat/rtpdec_jpeg.c): something is missing before it.
      if hasPassed { gap.append(Gap(frameCount: nil, reason: .network)) }
    } else if packet.isSuspect {
      // How many frames the network lost nobody can count; the damaged ones dropped here are part of that hole.
      if !isWaitingForKeyframe || gap != nil { gap.append(Gap(frameCount: nil, reason: .network)) }
      isWaitingForKeyframe = true
      return drop()
    }
    if packet.missingCount > 0 {
      gap.append(Gap(frameCount: packet.missingCount, reason: .camera))
      isWaitingForKeyframe = true
    }
    if packet.isDamaged { return dropDamaged() }
    if codec == .mjpeg { return takeJPEG(packet.payload) }
    if !packet.isKeyframe { return isWaitingForKeyframe ? drop() : pass(packet.payload, isKeyframe: false) }
    let (result, changed) = parameterSets.complete(packet.payload.bytes)
    let payload: Payload
    switch result {
    case .asItIs: payload = packet.payload
    case .with(let completed): payload = completed
    case .undecodable:
      undecodableKeyframeCount += 1
      isWaitingForKeyframe = true
      return drop()
    }
    if changed || pictures == nil {
      pictures = look(payload.bytes, codec)
      if pictures == nil {
        // Parameter sets or a slice that no decoder takes: nobody could begin here, so nobody is given it.
        undecodableKeyframeCount += 1
        if !isWaitingForKeyframe && gap == nil { gap = Gap(frameCount: 0, reason: .damaged) }
        isWaitingForKeyframe = true
        return drop()
      }
    }
    return pass(payload, isKeyframe: true)
  }

  private mutating func takeJPEG(_ payload: Payload) -> Output {
    guard let header = JPEGHeader(payload.bytes) else { return dropDamaged() }
    pictures = PictureInformation(width: header.width, height: header.height)
    return pass(payload.prefix(header.byteCount), isKeyframe: true)
  }

  private mutating func pass(_ payload: Payload, isKeyframe: Bool) -> Output {
    defer { (isWaitingForKeyframe, hasPassed, gap) = (false, true, nil) }
    return .frame(
      payload: payload, isKeyframe: isKeyframe, width: pictures?.width ?? 0, height: pictures?.height ?? 0, gap: gap)
  }

  private mutating func dropDamaged() -> Output {
    isWaitingForKeyframe = true
    if gap?.frameCount != nil || gap == nil { gap.append(Gap(frameCount: 0, reason: .damaged)) }
    return drop()
  }

  /// Counts a dropped frame where the hole is one of counted frames.
  private mutating func drop() -> Output {
    if let gap, gap.frameCount != nil { self.gap.append(Gap(frameCount: 1, reason: gap.reason)) }
    return .dropped
  }
}
