import Posix

// One media time for the whole life of a camera. Each connection, and each new beginning of a camera's own clock, counts
// from somewhere else; here the stretches are laid end to end, as far apart as our own clock has measured. Invariant: what
// a stretch begins with is later than everything before it, so that only reordered pictures go back in time.

/// Puts the media times of one camera's connections on one line. A value; times are nanoseconds.
struct MediaTimeline {
  /// A step back by more than this is no reordering but a new beginning of the camera's clock.
  static let jumpThreshold = PresentationTimes.reach

  /// What is added to the source's times in the present stretch.
  private var offset: Int64 = 0
  private var isBeginning = true
  /// The latest presentation time that was given out, and when the frame before arrived; nil before the first one.
  private var last: (latest: Int64, arrival: Int64)?

  /// The next frame is the first one of a new connection.
  mutating func reconnect() { isBeginning = true }

  /// The times of a frame that arrived at `arrival`, nanoseconds of CLOCK_BOOTTIME. The first connection's are the
  /// source's own, unless these begin far below zero: FFmpeg counts from the first sender report, which may be wrong
  /// (libavformat/rtpdec.c, rtcp_parse_packet). `isRestarted`: the source's clock begins again here.
  mutating func place(
    pts: Int64, dts: Int64?, arrival: Int64, isRestarted: Bool = false
  ) -> (pts: Int64, dts: Int64?) {
    if last == nil, pts < -MediaTimeline.jumpThreshold { offset = Int64(0).subtractingSaturated(pts) }
    if let last, isBeginning || isRestarted || isBehind(pts, last.latest) {
      let hole = max(1, arrival.subtractingSaturated(last.arrival))
      // What is decoded first is shown later: the hole lies in front of both.
      offset = last.latest.addingSaturated(hole).subtractingSaturated(min(pts, dts ?? pts))
    }
    isBeginning = false
    let shown = pts.addingSaturated(offset)
    last = (max(last?.latest ?? .min, shown), arrival)
    return (shown, dts?.addingSaturated(offset))
  }

  private func isBehind(_ pts: Int64, _ latest: Int64) -> Bool {
    latest.subtractingSaturated(pts.addingSaturated(offset)) > MediaTimeline.jumpThreshold
  }
}
