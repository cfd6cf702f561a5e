import Backlog
import Posix

// Which frame goes next when many wait, and how fast, as a pure policy. Cameras take turns, frame by frame: one with a long
// backlog (its topic was held, say) neither starves the others nor is starved, and all of them come closer to the
// present in step. While there is a backlog the rate is capped, so that a site's uplink stays usable.

/// The policy of catching up.
struct CatchUp: Sendable {
  /// How it is done.
  struct Settings: Sendable, Equatable {
    /// Bytes a second while catching up; nil: no limit.
    var bytesPerSecond: Double?

    init(bytesPerSecond: Double? = nil) { self.bytesPerSecond = bytesPerSecond }
  }

  /// So much may go out at once after a pause: what the cap carries in this time.
  static let burst = Duration.milliseconds(100)
  /// More frames than this for each lane, waiting, are a backlog; it ends when nothing waits.
  static let backlogPerLane = 4

  private let settings: Settings
  /// How many lanes there are.
  var laneCount: Int
  /// Lanes that had their turn in this round.
  private var served: Set<Int> = []
  /// Bytes that may go out now; negative after a large frame.
  private var allowance: Double = 0
  private var allowanceTime: MonotonicTime?
  /// Whether there is a backlog.
  private(set) var isCatchingUp = false

  init(_ settings: Settings, laneCount: Int) { (self.settings, self.laneCount) = (settings, laneCount) }

  /// Looks at how many frames wait.
  mutating func observe(waitingCount: Int, now: MonotonicTime) {
    if isCatchingUp {
      isCatchingUp = waitingCount > 0
    } else if waitingCount > laneCount * CatchUp.backlogPerLane {
      isCatchingUp = true
      (allowance, allowanceTime) = (0, now)
    }
  }

  /// When the next frame may go; `now` unless the rate is capped and used up.
  mutating func nextDeparture(now: MonotonicTime) -> MonotonicTime {
    guard isCatchingUp, let rate = settings.bytesPerSecond, let last = allowanceTime else { return now }
    allowance = min(allowance + rate * (now - last).inSeconds, rate * CatchUp.burst.inSeconds)
    allowanceTime = now
    return allowance >= 0 ? now : now + .nanoseconds(Int64((-allowance / rate * 1e9).rounded(.up)))
  }

  /// Whether a lane has not had its turn in this round.
  func hasTurn(_ lane: Lane) -> Bool { !served.contains(lane.index) }

  /// No lane that has its turn has a frame that may leave: a new round begins.
  mutating func beginRound() { served.removeAll(keepingCapacity: true) }

  /// Whether anybody had a turn in this round.
  var isRoundBegun: Bool { !served.isEmpty }

  /// A frame goes out as so many bytes.
  mutating func sent(_ byteCount: Int, of lane: Lane) {
    served.insert(lane.index)
    if isCatchingUp { allowance -= Double(byteCount) }
  }
}
