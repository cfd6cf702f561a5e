import Posix

// Media times where the source leaves them out. RTP carries presentation times only, and FFmpeg knows none for the very
// first access unit; decoding times follow from the presentation times once the reorder depth is known: the n-th access
// unit is decoded when the n-th smallest presentation time comes up.

/// The presentation and decoding times of one connection, nanoseconds on the source's clock. A value.
struct MediaClock {
  /// From `PictureInformation`.
  var reorderDepth = 0

  /// The last presentation times, sorted; at most `reorderDepth` + 1.
  private var window: [Int64] = []
  private var lastPts: Int64?
  private var lastDts: Int64?
  private var interval: Int64 = 0

  /// Completes the times of the next access unit. `dts` is nil where it cannot be known.
  mutating func times(pts: Int64?, dts: Int64?) -> (pts: Int64, dts: Int64?) {
    let shown = pts ?? dts ?? lastPts.map { $0 &+ interval } ?? 0
    if let lastPts, shown > lastPts { interval = shown &- lastPts }
    if let lastPts, lastPts.subtractingSaturated(shown) > MediaTimeline.jumpThreshold { (window, lastDts) = ([], nil) }
    lastPts = shown
    let decoded = dts ?? decodingTime(of: shown)
    lastDts = decoded ?? lastDts
    return (shown, decoded)
  }

  private mutating func decodingTime(of pts: Int64) -> Int64? {
    window.append(pts)
    window.sort()
    if window.count > reorderDepth + 1 { window.removeFirst(window.count - reorderDepth - 1) }
    // At the start the queue is not full: the first units are decoded ahead of the first presentation time, 1 ms apart.
    let missingCount = Int64(reorderDepth + 1 - window.count)
    let time = window[0] &- missingCount &* 1_000_000
    return time > lastDts ?? .min && time <= pts ? time : nil
  }
}
