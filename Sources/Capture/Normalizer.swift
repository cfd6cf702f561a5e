import CFFmpeg
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
  private var parameterSets: ParameterSets
  private var size: (width: Int, height: Int)?
  /// nil until frames flow: why the next keyframe is waited for.
  private var isWaitingForKeyframe = true
  private var gap: Gap?
  private(set) var undecodableKeyframeCount = 0

  /// `gap` is what was lost before this connection; nil at a camera's first.
  init(stream: SourceStream, gap: Gap?) {
    (codec, self.gap) = (stream.codec, gap)
    parameterSets = stream.parameterSets.withUnsafeBytes { ParameterSets(codec: stream.codec, outOfBand: $0) }
  }

  /// What the frame in front of `packet` was is known from the packets before it.
  mutating func take(_ packet: SourcePacket) -> Output {
    if packet.isSuspect {
      // How many frames the network lost nobody can count; the damaged ones dropped here are part of that hole.
      if !isWaitingForKeyframe { gap.append(Gap(frameCount: nil, reason: .network)) }
      isWaitingForKeyframe = true
      return drop()
    }
    if codec == .mjpeg { return takeJPEG(packet.payload) }
    if !packet.isKeyframe { return isWaitingForKeyframe ? drop() : pass(packet.payload, isKeyframe: false) }
    let (result, changed) = parameterSets.complete(packet.payload.bytes)
    let payload: Payload
    switch result {
    case .asItIs: payload = packet.payload
    case .with(let completed): payload = completed
    case .undecodable:
      undecodableKeyframeCount += 1
      if !isWaitingForKeyframe { isWaitingForKeyframe = true }
      return drop()
    }
    if changed || size == nil { size = pictureSize(ofKeyframe: payload.bytes, codec: codec) }
    return pass(payload, isKeyframe: true)
  }

  private mutating func takeJPEG(_ payload: Payload) -> Output {
    guard let found = JPEGHeader.pictureSize(of: payload.bytes) else {
      isWaitingForKeyframe = true
      if gap == nil { gap = Gap(frameCount: 0, reason: .damaged) }
      return drop()
    }
    size = found
    return pass(payload, isKeyframe: true)
  }

  private mutating func pass(_ payload: Payload, isKeyframe: Bool) -> Output {
    defer { (isWaitingForKeyframe, gap) = (false, nil) }
    return .frame(
      payload: payload, isKeyframe: isKeyframe, width: size?.width ?? 0, height: size?.height ?? 0, gap: gap)
  }

  /// Counts a dropped frame where the hole is one of counted frames.
  private mutating func drop() -> Output {
    if gap?.reason == .damaged { gap.append(Gap(frameCount: 1, reason: .damaged)) }
    return .dropped
  }
}

/// The picture size in the parameter sets of a keyframe, read by FFmpeg's own parser (av_parser_parse2).
private func pictureSize(ofKeyframe bytes: UnsafeRawBufferPointer, codec: Codec) -> (width: Int, height: Int)? {
  let id = codec == .h265 ? AV_CODEC_ID_HEVC : AV_CODEC_ID_H264
  guard let parser = av_parser_init(Int32(id.rawValue)) else { return nil }
  defer { av_parser_close(parser) }
  guard var context = Optional(avcodec_alloc_context3(nil)) else { return nil }
  defer { avcodec_free_context(&context) }
  parser.pointee.flags |= Int32(PARSER_FLAG_COMPLETE_FRAMES)
  // The parsers read up to AV_INPUT_BUFFER_PADDING_SIZE bytes beyond the end.
  var padded = Array(bytes)
  let byteCount = Int32(padded.count)
  padded += [UInt8](repeating: 0, count: Int(AV_INPUT_BUFFER_PADDING_SIZE))
  var output: UnsafeMutablePointer<UInt8>?
  var outputSize: Int32 = 0
  padded.withUnsafeBufferPointer {
    _ = av_parser_parse2(
      parser, context, &output, &outputSize, $0.baseAddress, byteCount, camgate_nopts, camgate_nopts, 0)
  }
  guard parser.pointee.width > 0, parser.pointee.height > 0 else { return nil }
  return (Int(parser.pointee.width), Int(parser.pointee.height))
}
