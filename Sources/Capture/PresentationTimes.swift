import Posix

// The presentation times of one connection as they should have been. Cameras get single RTP times wrong now and then, by
// anything from a frame to hours. Invariant: one time that its neighbours contradict is replaced by one between them, and
// media time is not moved by it; only a jump that the frames after it confirm is a new beginning.

/// Completes and corrects presentation times, nanoseconds on the source's clock. A value.
struct PresentationTimes {
  /// A presentation time as it should have been.
  struct Time: Equatable {
    var pts: Int64
    /// Whether it is the source's own or follows from it without doubt.
    var isExact = true
    /// The camera's clock begins again here, earlier than before.
    var isBeginning = false
  }

  /// How far reordered pictures reach back, and further ahead than time has passed no picture is. Cameras that reorder
  /// hold back two or three pictures.
  static let reach: Int64 = 2_000_000_000
  /// Steps from frame to frame that are this near are the same, nanoseconds: cameras round to milliseconds.
  private static let tolerance: Int64 = 2_000_000
  /// A GOP of two seconds, so that the step to its keyframe is known.
  private static let historyLimit = 64
  /// So many steps in a row are the same by chance only in a stream whose steps are all the same.
  private static let matchLength = 3
  /// So many frames that never go back, and the stream has no reordered pictures.
  private static let orderlyCount = 16

  /// The time from one frame to the next where the stream says it, nanoseconds.
  var frameInterval: Int64?
  /// Whether the stream says that it reorders pictures. One that does not may do so all the same.
  var mayReorder = false

  private var last: (pts: Int64, arrival: Int64)?
  /// The latest steps, in decoding order.
  private var steps: [Int64] = []
  /// Frames in a row that are later than the one before.
  private var risingCount = 0
  /// Frames since one was taken for an outlier because the stream seemed not to reorder.
  private var sinceDoubt = Int64.max
  /// Reordered pictures have come after all.
  private var isReordered = false
  /// The first time of what may be a new beginning, how many frames have confirmed it, and when the last one arrived.
  private var candidate: (pts: Int64, count: Int, arrival: Int64)?

  /// The time of the next frame in decoding order, of which the source says `pts`. `following` is what it says of the
  /// frame after that, where it knows already; `arrival` is of CLOCK_BOOTTIME.
  mutating func next(pts: Int64?, following: Int64?, arrival: Int64) -> Time {
    sinceDoubt = sinceDoubt.addingSaturated(1)
    guard let last else {
      let first = pts ?? following.map { $0.subtractingSaturated(frameInterval ?? 40_000_000) } ?? 0
      self.last = (first, arrival)
      return Time(pts: first, isExact: pts != nil || frameInterval != nil)
    }
    guard let pts else { return replaced(following, after: last, arrival) }
    if isOnLine(pts, after: last, arrival), !isContradicted(pts, by: following, after: last, arrival) {
      accept(pts, after: last, arrival)
      return Time(pts: pts)
    }
    if isConfirmed(pts, by: following, after: last, arrival) {
      (self.last, candidate, risingCount) = ((pts, arrival), nil, 0)
      return Time(pts: pts, isBeginning: pts <= last.pts)
    }
    return replaced(following, after: last, arrival)
  }

  private var isOrderly: Bool { risingCount >= PresentationTimes.orderlyCount && !mayReorder && !isReordered }

  /// Whether `pts` may be the next time after `last`: not before it by more than reordering, nor ahead of what has passed.
  private func isOnLine(_ pts: Int64, after last: (pts: Int64, arrival: Int64), _ arrival: Int64) -> Bool {
    let step = pts.subtractingSaturated(last.pts)
    let passed = max(0, arrival.subtractingSaturated(last.arrival))
    return step != 0 && step >= allowed.lowerBound && step <= passed.addingSaturated(allowed.upperBound)
  }

  /// The steps that a frame may take, apart from the time that has passed: a few times what they were, once enough were
  /// seen. Streams that may reorder need not do it all the time.
  private var allowed: ClosedRange<Int64> {
    let reach = PresentationTimes.reach
    guard steps.count >= 2 * PresentationTimes.orderlyCount, let least = steps.min(), let most = steps.max(),
      least < 0 || isOrderly
    else { return isOrderly ? 1...reach : -reach...reach }
    let earliest = isOrderly ? 1 : max(-reach, 4 * max(-reach, least))
    return earliest...min(reach, 4 * max(0, min(reach, most)) + PresentationTimes.tolerance)
  }

  /// Whether the frame behind, which agrees with the one in front, says that `pts` is wrong: without reordering, a time
  /// later than the next one is.
  private mutating func isContradicted(
    _ pts: Int64, by following: Int64?, after last: (pts: Int64, arrival: Int64), _ arrival: Int64
  ) -> Bool {
    guard isOrderly, let following, following < pts, isOnLine(following, after: last, arrival) else { return false }
    // A step as usual: it is the next one that is early.
    if steps.contains(where: { isSame($0, pts.subtractingSaturated(last.pts)) }) { return false }
    // Twice within a few frames: these are reordered pictures that the stream did not announce.
    if sinceDoubt < Int64(PresentationTimes.orderlyCount) { isReordered = true }
    sinceDoubt = 0
    return !isReordered
  }

  /// Whether other frames agree with a jump to `pts`: the one behind, or, where that is unknown, two in front.
  private mutating func isConfirmed(
    _ pts: Int64, by following: Int64?, after last: (pts: Int64, arrival: Int64), _ arrival: Int64
  ) -> Bool {
    if let following, following != pts {
      let agrees = isOnLine(following, after: (pts, arrival), arrival)
      let contradicts = isOnLine(following, after: last, arrival)
      if agrees != contradicts {
        candidate = nil
        return agrees
      }
    }
    if let old = candidate, isOnLine(pts, after: (old.pts, old.arrival), arrival) {
      candidate = (pts, old.count + 1, arrival)
      return old.count >= 2
    }
    candidate = (pts, 1, arrival)
    return false
  }

  private mutating func accept(_ pts: Int64, after last: (pts: Int64, arrival: Int64), _ arrival: Int64) {
    let step = pts.subtractingSaturated(last.pts)
    steps.append(step)
    if steps.count > PresentationTimes.historyLimit { steps.removeFirst() }
    risingCount = step > 0 ? risingCount + 1 : 0
    (self.last, candidate) = ((pts, arrival), nil)
  }

  /// A time for a frame whose own is missing or wrong.
  private mutating func replaced(
    _ following: Int64?, after last: (pts: Int64, arrival: Int64), _ arrival: Int64
  ) -> Time {
    let next = following.flatMap { isOnLine($0, after: last, arrival) ? $0.subtractingSaturated(last.pts) : nil }
    let known = knownStep(total: next)
    var step: Int64 = known ?? steps.last(where: { $0 > 0 }) ?? frameInterval ?? 0
    // What varies is not known better than that it lies between its neighbours.
    if known == nil, let next, next > 0, isOrderly || step >= next { step = next / 2 }
    if known == nil, next == nil, isOrderly { step /= 2 }
    let (pts, old) = (last.pts.addingSaturated(step), candidate)
    accept(pts, after: last, arrival)
    candidate = old
    return Time(pts: pts, isExact: known != nil)
  }

  /// The step that followed when the steps before it were as they are now, as many of them as possible; `total` is what
  /// it must be together with the one behind it. nil when there was no such.
  private func knownStep(total: Int64?) -> Int64? {
    var best: (length: Int, step: Int64)?
    for index in steps.indices.reversed() {
      if let total {
        guard index + 1 < steps.count, isSame(steps[index].addingSaturated(steps[index + 1]), total) else { continue }
      }
      let length = zip(steps[..<index].reversed(), steps.reversed()).prefix { isSame($0, $1) }.count
      if length >= PresentationTimes.matchLength, length > best?.length ?? 0 { best = (length, steps[index]) }
    }
    return best?.step
  }

  private func isSame(_ left: Int64, _ right: Int64) -> Bool {
    left.subtractingSaturated(right).magnitude <= PresentationTimes.tolerance.magnitude
  }
}
