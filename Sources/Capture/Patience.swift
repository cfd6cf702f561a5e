import Frames
import Posix

// How long frames are waited for: cameras send from 120 frames a second to one a minute, and none of them says so.

/// The waits of one camera. A value; `now` is an argument.
struct Patience {
  /// How long frames are waited for at most. A camera that sends one a minute is streaming.
  static let longest = Duration.seconds(300)
  /// How long a camera that sends may go without a keyframe; then a new connection, which most cameras begin with one,
  /// is the quicker way.
  static let forKeyframes = Duration.seconds(60)
  /// How long less must have been enough before less is remembered: what is kept on a card does not follow every change.
  static let memory = Duration.seconds(3_600)

  private enum Received { case nothing, unusable, oneFrame, frames }

  private let timeouts: CameraDescription.Timeouts
  /// How long the next frame is waited for: five times as long as the longest wait that was worth it.
  private(set) var forNextFrame: Duration
  /// When that much of it was last needed; nil: since an earlier run.
  private var neededTime: MonotonicTime?
  /// What the next run should begin with; nil: what the settings say. In steps that double, never less than was needed.
  private(set) var remembered: Duration?
  /// When that much of it was last needed; nil: since an earlier run.
  private var rememberedTime: MonotonicTime?
  /// Whether the camera's rate was ever seen.
  private var isRateKnown: Bool
  /// What came since the connection was opened; nil while there is none.
  private var received: Received?
  /// Connections in a row on which nothing came until the deadline.
  private var emptyCount = 0

  /// `remembered` is that of an earlier run.
  init(_ timeouts: CameraDescription.Timeouts, remembered: Duration? = nil) {
    self.timeouts = timeouts
    let usable = remembered.flatMap { $0 > timeouts.nextFrame ? min($0, Patience.longest) : nil }
    (self.remembered, isRateKnown) = (usable, usable != nil)
    forNextFrame = max(timeouts.nextFrame, usable ?? .zero)
  }

  /// How long the first frame of a connection is waited for.
  var forFirstFrame: Duration {
    forNextFrame > timeouts.nextFrame ? max(timeouts.firstFrame, forNextFrame) : timeouts.firstFrame
  }

  /// The connection stands.
  mutating func opened() { received = .nothing }

  /// A frame came; `interval` is the media time since the one before.
  mutating func took(interval: Duration?, now: MonotonicTime) {
    received = received == .oneFrame || received == .frames ? .frames : .oneFrame
    if let interval { learn(interval, now) }
  }

  /// A packet came that is no use.
  mutating func tookUnusable() { if received == .nothing { received = .unusable } }

  /// The connection is over; `isSilent`: because nothing came in time.
  mutating func closed(isSilent: Bool, now: MonotonicTime) {
    if isSilent { learnFromSilence(now) }
    received = nil
  }

  /// Five intervals are waited for. After less was enough for ten times as long as is waited, less is waited again, so
  /// that pictures in bursts do not hide the pauses between these.
  private mutating func learn(_ interval: Duration, _ now: MonotonicTime) {
    let needed = max(timeouts.nextFrame, min(interval * 5, Patience.longest))
    (isRateKnown, emptyCount) = (true, 0)
    let idle = now - (neededTime ?? now)
    if needed >= forNextFrame || idle > forNextFrame * 10 {
      (forNextFrame, neededTime) = (needed, now)
    } else if neededTime == nil {
      neededTime = now
    }
    remember(now)
  }

  private mutating func remember(_ now: MonotonicTime) {
    let step = forNextFrame > timeouts.nextFrame ? stepped(forNextFrame) : nil
    let isEnough = (step ?? .zero) < (remembered ?? .zero)
    if isEnough, let rememberedTime, now - rememberedTime <= Patience.memory { return }
    if isEnough, rememberedTime == nil {
      rememberedTime = now
      return
    }
    (remembered, rememberedTime) = (step, now)
  }

  /// The least step, of those that double from the settings' on, that is not shorter.
  private func stepped(_ duration: Duration) -> Duration {
    var step = max(timeouts.nextFrame, .seconds(1))
    while step < duration { step *= 2 }
    return min(step, Patience.longest)
  }

  /// A connection that ended without a second frame may be one to a slow camera: the next one has twice as long. Without
  /// any frame it may as well be a camera that hangs, which is waited for as before when its rate is known, or else its
  /// return would be noticed late; but not forever: a rate can be changed.
  private mutating func learnFromSilence(_ now: MonotonicTime) {
    if received == .nothing { emptyCount += 1 }
    guard received == .oneFrame || (received == .nothing && (!isRateKnown || emptyCount % 4 == 0)) else { return }
    (forNextFrame, neededTime) = (min(forNextFrame * 2, max(Patience.longest, forNextFrame)), now)
  }
}
