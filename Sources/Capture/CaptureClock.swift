import Frames
import Posix

// Which time a picture is given, and what it is worth. Invariant: sorted by presentation time, the capture times of one
// camera never go back, except at a step of a clock, which is marked, and where the quality changes between the camera's
// clock and arrival: these differ by the latency. A time that is called the camera's is what the camera said, to the
// nanosecond. No time is before `WallClock.earliest`.

/// Decides the capture times of one camera. A value without a clock of its own.
struct CaptureClock {
  /// What a frame is given.
  struct Time: Equatable {
    /// Nanoseconds since 1970.
    var nanoseconds: Int64
    var quality: ClockQuality
    /// Whether our wall clock, or the camera's, was stepped since the frame before.
    var isStepped = false
  }

  /// How far the camera's clock may be from ours and still be believed, nanoseconds.
  static let cameraTolerance: Int64 = 5_000_000_000
  /// By how much the wall clock may run away from the boot clock between two frames without having been stepped: time
  /// daemons slew it by up to a twelfth (chrony's maxslewrate).
  static let stepThreshold: Int64 = 250_000_000

  private var order = CaptureOrder()
  private var isByCamera = false
  private var lastArrival: ClockReading?

  /// The time of the frame with presentation time `pts` that arrived at `arrival` and whose camera, if it said so, took it
  /// at `cameraTime` (nanoseconds since 1970 on the camera's clock). `isSynchronized`: our wall clock is.
  mutating func captureTime(arrival: ClockReading, cameraTime: Int64?, pts: Int64, isSynchronized: Bool) -> Time {
    let isStepped = isStepped(to: arrival)
    lastArrival = arrival
    let isPlausible = arrival.wall >= WallClock.earliest
    let floor = WallClock.earliest.addingSaturated(max(0, arrival.boot))
    var result = Time(
      nanoseconds: isPlausible ? arrival.wall : floor, quality: isSynchronized && isPlausible ? .gateway : .unsynced,
      isStepped: isStepped)
    if let cameraTime, cameraTime.subtractingSaturated(arrival.wall).magnitude <= CaptureClock.cameraTolerance,
      cameraTime >= WallClock.earliest
    {
      (result.nanoseconds, result.quality) = (cameraTime, .camera)
    }
    if isStepped || isByCamera != (result.quality == .camera) { order = CaptureOrder() }
    isByCamera = result.quality == .camera
    if !isByCamera {
      result.nanoseconds = max(WallClock.earliest, order.placed(result.nanoseconds, at: pts))
    } else if !order.accepts(result.nanoseconds, at: pts) {
      // The camera's clock was set back.
      result.isStepped = true
      order = CaptureOrder()
    }
    order.add(result.nanoseconds, at: pts)
    return result
  }

  private func isStepped(to arrival: ClockReading) -> Bool {
    guard let lastArrival else { return false }
    let elapsed = arrival.boot.subtractingSaturated(lastArrival.boot)
    let drift = arrival.wall.subtractingSaturated(lastArrival.wall.addingSaturated(elapsed))
    return drift.magnitude > CaptureClock.stepThreshold.addingSaturated(max(0, elapsed) / 10).magnitude
  }
}

/// The capture times of the latest pictures, in the order in which they are shown. Times are nanoseconds.
private struct CaptureOrder {
  /// More pictures than any stream reorders (H.264, A.3.1: 16 frames; H.265, A.4.2: 16 pictures).
  private static let limit = 33

  private var known: [(pts: Int64, time: Int64)] = []

  mutating func add(_ time: Int64, at pts: Int64) {
    known.insert((pts, time), at: known.firstIndex { $0.pts > pts } ?? known.count)
    if known.count > CaptureOrder.limit { known.removeFirst() }
  }

  /// Whether `time` is later than that of each picture that is shown before `pts`, and earlier than the others'.
  func accepts(_ time: Int64, at pts: Int64) -> Bool {
    let earlier = known.last { $0.pts < pts }?.time
    let later = known.first { $0.pts > pts }?.time
    return (earlier.map { $0 < time } ?? true) && (later.map { time < $0 } ?? true)
  }

  /// The time of a picture that arrived at `arrival`. One that is shown before another that is already here lies between
  /// its neighbours as its presentation time does: it was taken earlier, and only sent later.
  func placed(_ arrival: Int64, at pts: Int64) -> Int64 {
    let earlier = known.last { $0.pts <= pts }
    let floor = earlier?.time.addingSaturated(1) ?? .min
    guard let later = known.first(where: { $0.pts > pts }) else { return max(floor, arrival) }
    guard let earlier else { return later.time.subtractingSaturated(later.pts.subtractingSaturated(pts)) }
    let span = Double(later.pts.subtractingSaturated(earlier.pts))
    let part = Double(pts.subtractingSaturated(earlier.pts))
    let difference = Double(later.time.subtractingSaturated(earlier.time)) * part / span
    return max(floor, earlier.time.addingSaturated(Int64(exactly: difference.rounded()) ?? 0))
  }
}
