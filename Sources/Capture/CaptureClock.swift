import Frames
import Posix

// Which time a frame is given, and what it is worth. Invariant: within one camera capture time never runs backwards,
// except at a step of the clock itself, which is marked. It is never before `WallClock.earliest`.

/// Decides the capture times of one camera. A value without a clock of its own.
struct CaptureClock {
  /// What a frame is told.
  struct Time: Equatable {
    /// Nanoseconds since 1970.
    var nanoseconds: Int64
    var quality: ClockQuality
    /// Whether our wall clock was stepped since the frame before.
    var isStepped = false
  }

  /// How far the camera's clock may be from ours and still be believed, nanoseconds.
  static let cameraTolerance: Int64 = 5_000_000_000
  /// By how much the wall clock may run away from the boot clock between two frames without having been stepped: time
  /// daemons slew it by up to a twelfth (chrony's maxslewrate).
  static let stepThreshold: Int64 = 250_000_000

  private var last: Int64?
  private var lastArrival: ClockReading?

  /// The time of a frame that arrived at `arrival` and whose camera, if it said so, took it at `cameraTime` (nanoseconds
  /// since 1970 on the camera's clock). `isSynchronized`: our wall clock is.
  mutating func captureTime(arrival: ClockReading, cameraTime: Int64?, isSynchronized: Bool) -> Time {
    let isStepped = isStepped(to: arrival)
    lastArrival = arrival
    if isStepped { last = nil }
    let floor = WallClock.earliest.addingSaturated(max(0, arrival.boot))
    let isPlausible = arrival.wall >= WallClock.earliest
    var result = Time(
      nanoseconds: isPlausible ? arrival.wall : floor, quality: isSynchronized && isPlausible ? .gateway : .unsynced,
      isStepped: isStepped)
    if let cameraTime, cameraTime.subtractingSaturated(arrival.wall).magnitude <= CaptureClock.cameraTolerance,
      cameraTime >= WallClock.earliest
    {
      (result.nanoseconds, result.quality) = (cameraTime, .camera)
    }
    if let last, result.nanoseconds <= last { result.nanoseconds = last.addingSaturated(1) }
    last = result.nanoseconds
    return result
  }

  private func isStepped(to arrival: ClockReading) -> Bool {
    guard let lastArrival else { return false }
    let elapsed = arrival.boot.subtractingSaturated(lastArrival.boot)
    let drift = arrival.wall.subtractingSaturated(lastArrival.wall.addingSaturated(elapsed))
    return drift.magnitude > CaptureClock.stepThreshold.addingSaturated(max(0, elapsed) / 10).magnitude
  }
}
