import Backlog
import Broker
import Posix

// What the forwarder knows, behind one lock.

extension Forwarder {
  /// How the delivery stands.
  package struct Status: Sendable {
    /// Frames the broker has acknowledged.
    package var acknowledgedCount: UInt64 = 0
    package var acknowledgedBytes: UInt64 = 0
    /// Frames that were sent and are not acknowledged.
    package var inFlightCount = 0
    /// Bytes of them.
    package var inFlightBytes = 0
    /// How many bytes may be under way, as the acknowledged rate allows.
    package var windowBytes = 0
    /// Since when and why nothing gets through; nil while all is well.
    package var trouble: (since: MonotonicTime, reason: String)?
    /// Cameras whose frames are not taken while others' are.
    package var held: [HeldLane] = []
  }

  /// A lane that is tried at growing intervals.
  package struct HeldLane: Sendable {
    package var lane: LaneDescription
    package var since: MonotonicTime
    package var reason: String
  }

  struct State {
    var lanes: [LaneFlow]
    var window: SendWindow
    var inFlight = InFlight()
    /// What a record of a topic may be where the topic itself says so, bytes.
    var topicLimits: [String: Int] = [:]
    var status = Status()
    var lastError: BrokerError?
    /// The fatal error after which a new producer is needed.
    var fatal: BrokerError?
    /// Producers made so far; events of an earlier one say nothing about the present one.
    var producerCount = 0
    /// Producers that failed since the last acknowledgement.
    var failedProducerCount = 0
    var isStopping = false

    init(lanes: [LaneFlow], window: SendWindow) { (self.lanes, self.window) = (lanes, window) }

    /// The report on a record; what became of its frame when that was the last one.
    mutating func take(_ report: DeliveryReport, now: MonotonicTime) -> InFlight.Report? {
      guard let byteCount = inFlight.byteCount(of: report.id) else { return nil }
      if let error = report.error {
        window.failed(byteCount, now: now)
        if error.disposition == .recreate { fatal = fatal ?? error }
      } else {
        window.acknowledged(byteCount, now: now)
        failedProducerCount = 0
      }
      return inFlight.reported(report.id, report.error)
    }

    /// What the end of a frame means for its lane.
    mutating func finish(_ report: InFlight.Report, now: MonotonicTime) -> Outcome {
      if report.error == nil {
        status.acknowledgedCount += 1
        status.acknowledgedBytes += UInt64(report.entry.frame.payload.byteCount)
      }
      let lane = report.entry.lane.index
      let before = lanes[lane].trouble
      let actions = lanes[lane].reported(report.entry, report.error, now: now)
      let isNewTrouble = lanes[lane].trouble != nil && lanes[lane].trouble != before
      return Outcome(lane: lane, error: report.error, actions: actions, isNewTrouble: isNewTrouble)
    }
  }

  /// What a report means for its lane.
  struct Outcome {
    var lane: Int
    var error: BrokerError?
    var actions: [LaneFlow.Action]
    var isNewTrouble: Bool
  }
}
