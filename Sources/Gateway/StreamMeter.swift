import Frames
import Posix

// What a stream is like, measured from its frames: what a camera's data sheet says and what it sends are two things.

/// Measures one camera's frames. A value without a clock.
package struct StreamMeter: Sendable {
  package private(set) var frameCount = 0
  package private(set) var byteCount = 0
  /// The largest frame, bytes.
  package private(set) var largestFrame = 0
  package private(set) var codec: Codec?
  /// The last size, pixels.
  package private(set) var size: (width: Int, height: Int) = (0, 0)
  package private(set) var gaps: [Gap] = []
  package private(set) var hasReordering = false
  package private(set) var lastClock: ClockQuality?
  /// Capture time less arrival, nanoseconds, where the camera's clock is used: how far it is from ours, and the way here.
  package private(set) var clockOffset: Int64?
  /// Sizes of the picture that came up.
  package private(set) var sizeCount = 0

  private var firstByteCount = 0
  private var arrivals: (first: MonotonicTime, last: MonotonicTime)?
  private var times: (first: Int64, last: Int64)?
  private var keyframes: [(number: Int, arrival: MonotonicTime)] = []

  package init() {}

  /// Takes the next frame, which came at `arrival` (`wallClock` in nanoseconds since 1970).
  package mutating func add(_ frame: Frame, arrival: MonotonicTime, wallClock: Int64) {
    if frameCount == 0 { firstByteCount = frame.payload.byteCount }
    // What is missing before the first frame is no loss.
    if let gap = frame.gap, frameCount > 0, gaps.count < 1_000 { gaps.append(gap) }
    if size != (frame.width, frame.height) { sizeCount += 1 }
    (codec, size, lastClock) = (frame.codec, (frame.width, frame.height), frame.clock)
    clockOffset = frame.clock == .camera ? frame.captureTime.subtractingSaturated(wallClock) : nil
    if frame.dts.map({ $0 != frame.pts }) == true { hasReordering = true }
    if frame.isKeyframe, keyframes.count < 100_000 { keyframes.append((frameCount, arrival)) }
    arrivals = (arrivals?.first ?? arrival, arrival)
    times = (min(times?.first ?? frame.pts, frame.pts), max(times?.last ?? frame.pts, frame.pts))
    frameCount += 1
    byteCount += frame.payload.byteCount
    largestFrame = max(largestFrame, frame.payload.byteCount)
  }

  /// From the first frame to the last, seconds.
  package var seconds: Double { arrivals.map { ($0.last - $0.first).inSeconds } ?? 0 }

  /// Frames a second as they came; nil where two frames did not.
  package var fps: Double? { seconds > 0 ? Double(frameCount - 1) / seconds : nil }

  /// Frames a second by the camera's media clock; nil where it stands still.
  package var mediaFps: Double? {
    guard let times, times.last > times.first else { return nil }
    return Double(frameCount - 1) * 1e9 / Double(times.last.subtractingSaturated(times.first))
  }

  /// Bits a second.
  package var bitrate: Double? { seconds > 0 ? Double(byteCount - firstByteCount) * 8 / seconds : nil }

  /// The longest way from keyframe to keyframe, in frames and seconds; nil where there was only one. (Every picture of
  /// Motion JPEG is one.)
  package var keyframeInterval: (frames: Int, seconds: Double)? {
    let steps = zip(keyframes, keyframes.dropFirst()).map {
      ($1.number - $0.number, ($1.arrival - $0.arrival).inSeconds)
    }
    return steps.max { $0.0 < $1.0 }.map { (frames: $0.0, seconds: $0.1) }
  }
}
