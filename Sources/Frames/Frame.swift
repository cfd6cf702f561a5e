// One captured picture on its way from camera to Kafka. Invariant: once made, a frame is never changed; its bytes are
// shared, not copied.

/// One access unit (H.264, H.265) or one JPEG, with all that its record will say (the access unit's definition:
/// ITU-T H.264, 3.1; H.265, 3.1).
package struct Frame: Sendable {
  /// What the payload is.
  package var codec: Codec
  /// The bytes: Annex B for H.264 and H.265, with the parameter sets before every keyframe.
  package var payload: Payload
  /// Whether decoding may start here. Pictures that are shown before this one and need what came before it (`isLeading`)
  /// are then left out.
  package var isKeyframe: Bool
  /// Of a keyframe: how many pictures later, in decoding order, pictures are whole when decoding starts here (gradual
  /// refresh; H.264, D.2.8); 0: at once.
  package var recovery: Int
  /// It follows the last keyframe, is shown before it, and may need pictures that came before it (H.265: RASL).
  package var isLeading: Bool
  /// Capture time, nanoseconds since 1970 (UTC).
  package var captureTime: Int64
  /// What `captureTime` is worth.
  package var clock: ClockQuality
  /// When it arrived, nanoseconds since the machine was started (CLOCK_BOOTTIME): what dates an `unsynced` frame once the
  /// time is known; nil where that is not known.
  package var bootTime: Int64?
  /// Whether the wall clock was stepped between the frame before and this one.
  package var isClockStepped: Bool
  /// Presentation time, unwrapped, nanoseconds: on the camera's media clock, and continued over reconnects. Never goes back
  /// by more than reordered pictures do (two seconds).
  package var pts: Int64
  /// Decoding time on the same clock, nanoseconds; nil where the source does not say.
  package var dts: Int64?
  /// Picture width in pixels.
  package var width: Int
  /// Picture height in pixels.
  package var height: Int
  /// What is missing right before this frame; nil when nothing is.
  package var gap: Gap?
  /// XXH3-64 of the payload's bytes as they were captured, for a frame that was read back from disk: on resume, a record in
  /// Kafka is this frame only when the lengths and `FrameMetadata.checksum(of:)` of the record's bytes are the same. nil for
  /// a frame that was never on disk, and for one that an older version stored: compute it from `payload`.
  package var payloadChecksum: UInt64?

  package init(
    codec: Codec, payload: Payload, isKeyframe: Bool, recovery: Int = 0, isLeading: Bool = false,
    captureTime: Int64, clock: ClockQuality,
    bootTime: Int64? = nil, isClockStepped: Bool = false, pts: Int64, dts: Int64? = nil, width: Int, height: Int,
    gap: Gap? = nil
  ) {
    (self.codec, self.payload, self.isKeyframe) = (codec, payload, isKeyframe)
    (self.recovery, self.isLeading) = (recovery, isLeading)
    (self.captureTime, self.clock, self.pts, self.dts) = (captureTime, clock, pts, dts)
    (self.bootTime, self.isClockStepped) = (bootTime, isClockStepped)
    (self.width, self.height, self.gap) = (width, height, gap)
  }

  /// Whether decoding may start here and pictures are whole at once.
  package var isWholeKeyframe: Bool { isKeyframe && recovery == 0 }
}

/// How a payload is coded.
package enum Codec: String, Sendable, CaseIterable {
  case h264, h265, mjpeg

  /// The record's `content-type`.
  package var contentType: String {
    switch self {
    case .h264: "video/h264"
    case .h265: "video/h265"
    case .mjpeg: "image/jpeg"
    }
  }

  /// The codec of a record's `content-type`; nil for one that is no encoded video.
  package init?(contentType: String) {
    guard let codec = Codec.allCases.first(where: { $0.contentType == contentType }) else { return nil }
    self = codec
  }
}

/// Where a capture time comes from, and so how far it can be trusted.
package enum ClockQuality: String, Sendable, CaseIterable {
  /// The camera's own NTP clock, through RTCP sender reports.
  case camera
  /// Arrival, on a gateway whose clock is synchronised.
  case gateway
  /// Arrival before the clock was set, corrected when it was.
  case corrected
  /// Arrival, on a gateway that never had the time.
  case unsynced
}
