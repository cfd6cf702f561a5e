import Frames
import Posix

// Which time a frame is given, and what it is worth. Invariant: within one camera capture time never runs backwards,
// except at a step of the clock itself.

/// Decides the capture times of one camera. A value without a clock of its own.
struct CaptureClock {
  /// How far the camera's clock may be from ours and still be believed, nanoseconds.
  static let cameraTolerance: Int64 = 5_000_000_000
  /// A jump back by more than this is a step of the clock and is taken as it is, nanoseconds.
  static let stepThreshold: Int64 = 5_000_000_000

  private var last: Int64?

  /// Capture time (nanoseconds since 1970) of a frame that arrived at `arrival` and whose camera, if it said so, took it
  /// at `cameraTime`. `isSynchronized`: our clock is.
  mutating func captureTime(
    arrival: Int64, cameraTime: Int64?, isSynchronized: Bool
  ) -> (time: Int64, quality: ClockQuality) {
    var time = arrival
    var quality: ClockQuality = isSynchronized ? .gateway : .unsynced
    if let cameraTime, cameraTime.subtractingSaturated(arrival).magnitude <= CaptureClock.cameraTolerance {
      (time, quality) = (cameraTime, .camera)
    }
    if let last, time <= last, last.subtractingSaturated(time) < CaptureClock.stepThreshold {
      time = last.addingSaturated(1)
    }
    last = time
    return (time, quality)
  }
}
