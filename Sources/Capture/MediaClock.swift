import Posix

// The times of one connection's access units: RTP carries presentation times only, FFmpeg knows none for the very first
// access unit, and cameras get single ones wrong.

/// The presentation and decoding times of one connection, nanoseconds on the source's clock. A value.
struct MediaClock {
  /// What an access unit is given.
  struct Times: Equatable {
    var pts: Int64
    /// nil where it cannot be known.
    var dts: Int64?
    /// Whether `pts` is the source's own or follows from it without doubt.
    var isExact = true
    /// The source's clock begins again here, earlier than before.
    var isBeginning = false
  }

  private var presentation = PresentationTimes()
  private var decoding = DecodingTimes()

  /// What the stream says of its pictures.
  mutating func follow(_ pictures: PictureInformation?) {
    presentation.frameInterval = pictures?.frameInterval
    presentation.mayReorder = (pictures?.reorderDepth ?? 0) > 0
    (decoding.reorderDepth, decoding.frameInterval) = (pictures?.reorderDepth ?? 0, pictures?.frameInterval)
  }

  /// Completes the times of the next access unit in decoding order. `following` is the presentation time of the one
  /// behind it, where it is known already; `arrival` is of CLOCK_BOOTTIME. `isClosed`: no later picture is shown earlier.
  mutating func times(
    pts: Int64?, dts: Int64? = nil, following: Int64? = nil, arrival: Int64, isClosed: Bool = true
  ) -> Times {
    // A container's times go together.
    if let dts { return Times(pts: pts ?? dts, dts: dts) }
    let time = presentation.next(pts: pts, following: following, arrival: arrival)
    if time.isBeginning {
      let old = decoding
      decoding = DecodingTimes()
      (decoding.reorderDepth, decoding.frameInterval) = (old.reorderDepth, old.frameInterval)
    }
    return Times(
      pts: time.pts, dts: decoding.next(pts: time.pts, isClosed: isClosed), isExact: time.isExact,
      isBeginning: time.isBeginning)
  }
}
