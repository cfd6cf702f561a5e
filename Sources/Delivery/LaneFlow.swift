import Backlog
import Broker
import Posix

// What happens to the records of one lane, as a pure state machine. Invariant: a record that failed is sent again before
// any later record of its lane is sent for the first time; nothing but an acknowledgement or a counted drop finishes it.

/// The flow of one lane's records through the producer.
struct LaneFlow {
  /// What to do with entries.
  enum Action {
    /// Acknowledged: it may leave the backlog.
    case finish(Entry)
    /// It will never be accepted: it leaves the backlog and is announced as missing.
    case drop(Entry, BrokerError)
    /// Back to the front of the lane, in order.
    case putBack([Entry])
  }

  /// A lane with records under way of which nothing is heard for so long gets no more under way than its share of so many
  /// bytes: they stay in memory, and the cluster may be away for long.
  static let silence = Duration.milliseconds(500)
  static let silentBytes = 256 << 10
  static let shortestHold = Duration.seconds(1)
  static let longestHold = Duration.seconds(30)

  private var silentShare: Int
  private var inFlightCount = 0
  private var inFlightBytes = 0
  /// When the last report came, or, since then, the first record was sent while nothing was under way.
  private var heard = MonotonicTime(nanoseconds: 0)
  private var failed: [Entry] = []
  /// One of `failed` failed for a reason that needs time.
  private var needsHold = false
  private var heldUntil: MonotonicTime?
  private var hold = LaneFlow.shortestHold
  /// Up to this one records are sent one at a time: a permanent error fails a whole batch, and one at a time shows
  /// whose fault it was.
  private var isolatedUpTo: FrameNumber?
  /// The record in flight was sent alone, and nothing may join it.
  private var isIsolating = false
  /// Why the lane is held; nil while it flows.
  private(set) var trouble: BrokerError?
  /// Since when.
  private(set) var troubleSince: MonotonicTime?

  init(laneCount: Int = 1) { silentShare = LaneFlow.silentBytes / max(1, laneCount) }

  /// So many lanes share what may be silent from now on.
  mutating func share(with laneCount: Int) { silentShare = LaneFlow.silentBytes / max(1, laneCount) }

  /// Whether `entry` may be sent now.
  func isOpen(for entry: Entry, now: MonotonicTime) -> Bool {
    if isIsolating || !failed.isEmpty { return false }
    if let heldUntil, now < heldUntil { return false }
    if inFlightCount == 0 { return true }
    if isIsolated(entry) { return false }
    return now - heard < LaneFlow.silence || inFlightBytes + entry.byteCount <= silentShare
  }

  private func isIsolated(_ entry: Entry) -> Bool { isolatedUpTo.map { entry.number <= $0 } ?? false }

  /// Whether nothing of it is under way, and everything that failed is back.
  var isIdle: Bool { inFlightCount == 0 && failed.isEmpty }

  /// Whether it waits for better times.
  func isHeld(now: MonotonicTime) -> Bool { heldUntil.map { now < $0 } ?? false }

  /// When a held lane opens again; nil when it is not held.
  var opensAt: MonotonicTime? { failed.isEmpty ? heldUntil : nil }

  /// An entry is handed to the producer.
  mutating func sent(_ entry: Entry, now: MonotonicTime) {
    if inFlightCount == 0 { heard = now }
    inFlightCount += 1
    inFlightBytes += entry.byteCount
    isIsolating = isIsolated(entry)
  }

  /// The report on an entry that was sent, or that the producer did not take.
  mutating func reported(_ entry: Entry, _ error: BrokerError?, now: MonotonicTime) -> [Action] {
    inFlightCount -= 1
    inFlightBytes -= entry.byteCount
    heard = now
    var actions: [Action] = []
    if let error {
      if error.disposition == .poison && isIsolating {
        actions.append(.drop(entry, error))
      } else {
        if error.disposition == .poison { isolatedUpTo = max(isolatedUpTo ?? entry.number, entry.number) }
        failed.append(entry)
        if error.needsTime { (trouble, needsHold) = (error, true) } else { trouble = trouble ?? error }
        troubleSince = troubleSince ?? now
      }
    } else {
      actions.append(.finish(entry))
      if failed.isEmpty { (trouble, troubleSince, heldUntil, hold) = (nil, nil, nil, LaneFlow.shortestHold) }
    }
    if inFlightCount == 0 { isIsolating = false }
    // Only when nothing of the lane is under way any more can the failed ones go back without being overtaken further.
    if inFlightCount == 0, !failed.isEmpty {
      actions.append(.putBack(failed.sorted { $0.number < $1.number }))
      failed = []
      if needsHold {
        needsHold = false
        heldUntil = now + hold
        hold = min(hold * 2, LaneFlow.longestHold)
      }
    }
    return actions
  }
}

extension BrokerError {
  /// Whether sending again at once is of no use.
  fileprivate var needsTime: Bool { disposition == .hold || disposition == .resend }
}
