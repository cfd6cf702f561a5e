import Posix

// Decoding times where the source leaves them out: RTP carries presentation times only. They follow from these once the
// reorder depth is known: the n-th access unit is decoded when the n-th smallest presentation time comes up, which is the
// smallest of the depth + 1 latest. Invariant: decoding times rise within a connection, by at least a tick of 90 kHz, and
// are never later than the presentation; so muxers take them.

/// The decoding times of one connection, nanoseconds on the source's clock. A value.
struct DecodingTimes {
  /// How many pictures may be decoded before a picture and shown after it, as the stream says.
  var reorderDepth = 0
  /// The time from one frame to the next where the stream says it, nanoseconds.
  var frameInterval: Int64?

  /// H.264, A.3.1 and H.265, A.4.2: no stream has more.
  private static let depthLimit = 16
  private static let tick: Int64 = 11_112

  /// The latest presentation times, sorted; at most `depthLimit` + 1.
  private var window: [Int64] = []
  private var count = 0
  /// What no presentation time is earlier than.
  private var start: Int64 = 0
  private var lastDts: Int64?
  /// Deeper than the stream says, by what was seen.
  private var seenDepth = 0

  /// When the next access unit is decoded, which is presented at `pts`; nil where that cannot be known. `isClosed`: no
  /// picture that comes later is shown earlier (of interest at the first).
  mutating func next(pts: Int64, isClosed: Bool) -> Int64? {
    seenDepth = max(seenDepth, min(DecodingTimes.depthLimit, window.count { $0 > pts }))
    window.insert(pts, at: window.firstIndex { $0 > pts } ?? window.count)
    if window.count > DecodingTimes.depthLimit + 1 { window.removeFirst() }
    count = min(count + 1, DecodingTimes.depthLimit + 1)
    let interval = frameInterval ?? 40_000_000
    // In an open GOP the first presentation time is still to come.
    if count == 1 { start = pts.subtractingSaturated(isClosed ? 0 : interval * Int64(DecodingTimes.depthLimit)) }
    let depth = max(seenDepth, min(DecodingTimes.depthLimit, reorderDepth))
    // The first are decoded ahead of the first presentation time.
    let time =
      count > depth
      ? window[max(0, window.count - depth - 1)] : start.subtractingSaturated(interval * Int64(depth + 1 - count))
    // Only an order that nobody announced leads here behind the last one.
    let rising = max(time, lastDts?.addingSaturated(DecodingTimes.tick) ?? time)
    guard rising <= pts else { return nil }
    lastDts = rising
    return rising
  }
}
