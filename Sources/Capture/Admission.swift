import Frames

// What is taken of one camera at most: a bucket of bits and one of frames that leak at the rates of its limits. Both hold
// ten seconds, so that what a camera kept while nobody read (the network, a busy machine) still comes in whole.

/// Decides which of a camera's frames come in. A value without a clock.
struct Admission {
  /// One of the limits, by its name in the settings.
  enum Limit: String {
    case bitrate, fps, frame
  }

  /// How many seconds' worth may come at once.
  static let burst = 10.0

  private let limits: CameraDescription.Limits
  /// Taken and not leaked yet.
  private var bits = 0.0
  private var frames = 0.0
  private var lastTime: Int64?

  init(_ limits: CameraDescription.Limits) { self.limits = limits }

  /// Which limit keeps a frame of so many bytes out that came at `time`, nanoseconds on any clock; nil when none does.
  mutating func refusal(byteCount: Int, at time: Int64) -> Limit? {
    let passed = max(0, Double(time.subtractingSaturated(lastTime ?? time)) / 1e9)
    lastTime = time
    bits = max(0, bits - passed * Double(limits.bitrate))
    frames = max(0, frames - passed * Double(limits.fps))
    if byteCount > limits.frame { return .frame }
    if bits >= Double(limits.bitrate) * Admission.burst { return .bitrate }
    return frames >= Double(limits.fps) * Admission.burst ? .fps : nil
  }

  /// A frame of so many bytes came in.
  mutating func took(byteCount: Int) {
    bits += Double(byteCount) * 8
    frames += 1
  }
}
