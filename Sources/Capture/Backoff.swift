import Posix

// The pauses between two attempts: a camera that is away is tried again soon, but never hammered.

/// The pauses of one camera. A value; `jitter` in 0...1 says which part of a pause is taken (full jitter: a site's cameras
/// must not come back in step), at least a tenth.
struct Backoff {
  /// The first pause after a failure; it doubles up to `longest`.
  static let shortest = Duration.milliseconds(500)
  static let longest = Duration.seconds(30)
  /// How long frames must flow before the next failure starts with the shortest pause again.
  static let healthyAfter = Duration.seconds(30)

  private var pause = Backoff.shortest

  /// Frames have flowed for so long on a connection that still stands.
  mutating func streamed(_ duration: Duration) { if duration >= Backoff.healthyAfter { pause = Backoff.shortest } }

  /// Frames flowed for so long on a connection that is over: never away for longer than it was there.
  mutating func ended(after duration: Duration) {
    streamed(duration)
    pause = min(pause, max(duration, Backoff.shortest))
  }

  /// The pause behind a failure.
  mutating func next(_ disposition: CaptureError.Disposition, jitter: Double) -> Duration {
    let usual = doubled(upTo: Backoff.longest)
    return (disposition == .retrySlowly ? Backoff.longest : usual) * Backoff.part(jitter)
  }

  /// The pause behind a failure that may last longer than others.
  mutating func next(upTo longest: Duration, jitter: Double) -> Duration {
    doubled(upTo: longest) * Backoff.part(jitter)
  }

  private static func part(_ jitter: Double) -> Double { max(0.1, min(jitter, 1)) }

  private mutating func doubled(upTo longest: Duration) -> Duration {
    defer { pause = min(pause * 2, longest) }
    return min(pause, longest)
  }
}
