import Frames

// From what a source hands out to what leaves Capture. Invariants: nothing before the first keyframe; every keyframe
// carries its parameter sets; after damage nothing passes until the next keyframe, and that one says what is missing; what
// needs pictures before a keyframe does not pass where decoding begins there.

/// Judges the packets of one connection. A value with no clock and no I/O.
struct Normalizer {
  /// What came of a packet.
  enum Output {
    case frame(Passed)
    case dropped
  }

  /// A picture that leaves.
  struct Passed {
    var payload: Payload
    /// Whether decoding may begin here; see `Frame`.
    var isKeyframe: Bool
    var recovery = 0
    var isLeading = false
    var width: Int
    var height: Int
    var gap: Gap?
  }

  private let codec: Codec
  private let look: (UnsafeRawBufferPointer, Codec) -> PictureInformation?
  private var parameterSets: ParameterSets
  /// Parameter sets have come that `pictures` does not know of.
  private var haveSetsChanged = false
  /// What the parameter sets in force say.
  private(set) var pictures: PictureInformation?
  private var leading = LeadingPictures()
  /// Nothing passes before the next keyframe.
  private var isWaitingForKeyframe = true
  /// Decoding begins at the last keyframe that passed: nothing before it was passed on.
  private var beginsAtLastKeyframe = false
  private var hasPassed = false
  /// The presentation time of the packet before.
  private var lastPts: Int64?
  private var gap: Gap?
  /// How many pictures in a row no other refers to, now and at most.
  private var disposableRun = (now: 0, longest: 0)
  /// Whether frames are dropped because one was beyond its camera's limits.
  var isRefusing: Bool { isWaitingForKeyframe && gap?.reason == .limited }
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
    if packet.oversizeCount > 0 { limit(packet.oversizeCount) }
    if packet.isDamaged { return dropDamaged() }
    defer { lastPts = packet.pts }
    return codec == .mjpeg ? takeJPEG(packet.payload) : takeAccessUnit(packet.payload, pts: packet.pts)
  }

  /// Drops a packet that is more than its camera may send, and all up to the next keyframe.
  mutating func refuse(_ packet: SourcePacket) {
    if packet.missingCount > 0 { gap.append(Gap(frameCount: packet.missingCount, reason: .camera)) }
    if packet.oversizeCount > 0 { limit(packet.oversizeCount) }
    limit(1)
    if codec != .mjpeg {
      withExtendedLifetime(packet.payload) {
        haveSetsChanged = parameterSets.remember(packet.payload.bytes) || haveSetsChanged
      }
    }
  }

  private mutating func limit(_ count: UInt64) {
    gap.append(Gap(frameCount: count, reason: .limited))
    isWaitingForKeyframe = true
  }

  private mutating func takeAccessUnit(_ payload: Payload, pts: Int64?) -> Output {
    withExtendedLifetime(payload) {
      let unit = AccessUnit(payload.bytes, codec: codec)
      if !unit.hasPicture {
        haveSetsChanged = parameterSets.remember(payload.bytes) || haveSetsChanged
        return unit.isPlausible ? .dropped : dropDamaged()
      }
      disposableRun.now = unit.isDisposable ? disposableRun.now + 1 : 0
      disposableRun.longest = max(disposableRun.longest, disposableRun.now)
      if !unit.hasFirstSlice {
        // GStreamer repeats the parameter sets before each slice of an IDR picture, and FFmpeg's parser ends an access unit
        // there: the rest of a picture that passed has its time.
        if !isWaitingForKeyframe, pts != nil, pts == lastPts { return pass(payload, isKeyframe: false) }
        // Joined in the middle of a picture, nothing is lost yet.
        return isWaitingForKeyframe && gap == nil ? drop() : dropDamaged()
      }
      return unit.recovery == nil ? takeDependent(unit, payload) : takeKeyframe(unit, payload)
    }
  }

  /// A picture that needs others.
  private mutating func takeDependent(_ unit: AccessUnit, _ payload: Payload) -> Output {
    haveSetsChanged = parameterSets.remember(payload.bytes) || haveSetsChanged
    if isWaitingForKeyframe { return drop() }
    let isLeading = leading.contains(unit, payload.bytes, codec, parameterSets)
    // It is shown before the keyframe, so it is part of the hole before that one.
    if isLeading && beginsAtLastKeyframe { return .dropped }
    return pass(payload, isKeyframe: false, isLeading: isLeading)
  }

  private mutating func takeKeyframe(_ unit: AccessUnit, _ packet: Payload) -> Output {
    let (result, changed) = parameterSets.complete(packet.bytes)
    haveSetsChanged = changed || haveSetsChanged
    let payload: Payload
    switch result {
    case .asItIs: payload = packet
    case .with(let completed): payload = completed
    case .undecodable:
      undecodableKeyframeCount += 1
      isWaitingForKeyframe = true
      return drop()
    }
    if haveSetsChanged || pictures == nil {
      pictures = withExtendedLifetime(payload) { look(payload.bytes, codec) }
      if pictures == nil {
        // Parameter sets or a slice that no decoder takes: nobody could begin here, so nobody is given it.
        undecodableKeyframeCount += 1
        if !isWaitingForKeyframe && gap == nil { gap = Gap(frameCount: 0, reason: .damaged) }
        isWaitingForKeyframe = true
        return drop()
      }
      haveSetsChanged = false
    }
    leading.begin(unit, packet.bytes, codec, parameterSets)
    beginsAtLastKeyframe = isWaitingForKeyframe
    // Recovery is counted in reference pictures, readers count all.
    return pass(payload, isKeyframe: true, recovery: (unit.recovery ?? 0) * (1 + disposableRun.longest))
  }

  private mutating func takeJPEG(_ payload: Payload) -> Output {
    guard let header = withExtendedLifetime(payload, { JPEGHeader(payload.bytes) }) else { return dropDamaged() }
    pictures = PictureInformation(width: header.width, height: header.height)
    return pass(payload.prefix(header.byteCount), isKeyframe: true)
  }

  private mutating func pass(
    _ payload: Payload, isKeyframe: Bool, recovery: Int = 0, isLeading: Bool = false
  ) -> Output {
    defer { (isWaitingForKeyframe, hasPassed, gap) = (false, true, nil) }
    return .frame(
      Passed(
        payload: payload, isKeyframe: isKeyframe, recovery: recovery, isLeading: isLeading,
        width: pictures?.width ?? 0, height: pictures?.height ?? 0, gap: gap))
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
