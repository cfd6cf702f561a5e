import Frames

// GStreamer's payloaders repeat the parameter sets before each slice of a keyframe (config-interval=-1), and FFmpeg's parser
// ends an access unit wherever it meets some, so a keyframe of several slices comes in pieces. Here they are put together
// again. That the last piece was the last shows only by the next packet, so a keyframe is held back for one frame where it may
// be a first piece: when it has fewer slices than the stream's other pictures, and at the beginning of a connection. Where
// all pictures are keyframes, the one before tells.

/// Makes whole pictures of the packets of one connection.
struct PictureJoiner {
  private let codec: Codec
  /// Bytes of a picture at most.
  private let largestFrame: Int
  /// How many slices the first picture after the last keyframe had; nil before there was one.
  private var usualSliceCount: Int?
  private var needsCount = true
  /// Whether the last keyframe that was held back came in pieces; true before there was one.
  private var cameInPieces = true
  /// What followed a picture that was put together.
  private var ahead: SourcePacket?

  init(codec: Codec, largestFrame: Int = .max) { (self.codec, self.largestFrame) = (codec, largestFrame) }

  /// The next picture; `read` gives the next packet.
  mutating func next(_ read: () throws(CaptureError) -> SourcePacket) throws(CaptureError) -> SourcePacket {
    var packet: SourcePacket
    if let ahead {
      (packet, self.ahead) = (ahead, nil)
    } else {
      packet = try read()
    }
    guard codec != .mjpeg, mayBeFirstPiece(packet) else { return packet }
    cameInPieces = false
    while true {
      let next = try read()
      guard isLaterPiece(next, of: packet) else {
        ahead = next
        return packet
      }
      cameInPieces = true
      packet.payload = Payload(joining: [packet.payload.bytes, next.payload.bytes])
      packet.isSuspect = packet.isSuspect || next.isSuspect
    }
  }

  private mutating func mayBeFirstPiece(_ packet: SourcePacket) -> Bool {
    withExtendedLifetime(packet.payload) {
      let unit = AccessUnit(packet.payload.bytes, codec: codec)
      guard unit.hasFirstSlice else { return false }
      if unit.recovery == nil {
        if needsCount { (usualSliceCount, needsCount) = (sliceCount(packet.payload.bytes), false) }
        return false
      }
      needsCount = true
      return usualSliceCount.map { $0 > sliceCount(packet.payload.bytes) } ?? cameInPieces
    }
  }

  private func isLaterPiece(_ packet: SourcePacket, of first: SourcePacket) -> Bool {
    guard first.pts != nil, packet.pts == first.pts, packet.missingCount == 0, packet.oversizeCount == 0,
      packet.payload.byteCount <= largestFrame - min(largestFrame, first.payload.byteCount)
    else { return false }
    return withExtendedLifetime(packet.payload) {
      let unit = AccessUnit(packet.payload.bytes, codec: codec)
      return unit.hasPicture && !unit.hasFirstSlice
    }
  }

  private func sliceCount(_ bytes: UnsafeRawBufferPointer) -> Int {
    NALUnitSequence(bytes, codec: codec).count { $0.kind == .slice }
  }
}
