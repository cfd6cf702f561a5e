import Frames

// Frame to record: what the headers say of a frame. ReceivedFrame reads them back.

/// The headers of frames.
package enum FrameHeaders {
  /// The value of `HeaderName.type` in every record; another format would have another.
  package static let type = "camgate.frame.v1"

  /// What key, headers and framing may add to a frame's bytes in the worst case; a frame must be smaller than
  /// `message.max.bytes` by this.
  package static let overhead = 1_280

  /// The largest frame that can be sent in records of `messageMaxBytes`.
  package static func largestFrame(messageMaxBytes: Int) -> Int { (messageMaxBytes - overhead) * FramePart.limit }

  /// The headers of a frame's record, in their order. `source`: `/<gateway>/<camera>`; `time`: the capture time, RFC 3339.
  package static func encode(
    _ frame: Frame, id: FrameID, source: String, time: String, isBackfill: Bool
  ) -> [RecordHeader] {
    var headers: [RecordHeader] = [
      (HeaderName.specVersion, "1.0"),
      (HeaderName.type, type),
      (HeaderName.source, source),
      (HeaderName.id, id.text),
      (HeaderName.time, time),
      (HeaderName.contentType, frame.codec.contentType),
      (HeaderName.sequence, id.sequenceText),
      (HeaderName.clock, frame.clock.rawValue),
      (HeaderName.pts, String(frame.pts)),
    ]
    if frame.isClockStepped { headers.append((HeaderName.clockStep, "1")) }
    if let dts = frame.dts, dts != frame.pts { headers.append((HeaderName.dts, String(dts))) }
    headers.append((HeaderName.keyframe, frame.isKeyframe ? "1" : "0"))
    if frame.isKeyframe, frame.recovery > 0 { headers.append((HeaderName.recovery, String(frame.recovery))) }
    if frame.isLeading { headers.append((HeaderName.leading, "1")) }
    headers.append((HeaderName.width, String(frame.width)))
    headers.append((HeaderName.height, String(frame.height)))
    if let gap = frame.gap {
      headers.append((HeaderName.gap, gap.frameCount.map { String($0) } ?? "unknown"))
      if let duration = gap.duration { headers.append((HeaderName.gapDuration, String(duration))) }
      headers.append((HeaderName.gapReason, gap.reason.rawValue))
    }
    if isBackfill { headers.append((HeaderName.backfill, "1")) }
    return headers
  }
}
