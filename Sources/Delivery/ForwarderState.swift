import Backlog
import Broker
import Posix
import Records

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
    /// How many partitions each topic has, as far as known.
    package var partitionCounts: [String: Int] = [:]
    /// Since when and why nothing gets through; nil while all is well.
    package var trouble: (since: MonotonicTime, reason: String)?
    /// How long frames took from their arrival to their acknowledgement, in about the last minute; backfill left out.
    package var liveLatency = LatencyHistogram()
    /// Frames that Kafka will never take, where they are kept.
    package var quarantine = Quarantine.Count()
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
    private(set) var lanes: [LaneDescription] = []
    var flows: [LaneFlow] = []
    /// With who this gateway is: its frames may get a new ring id.
    var encoder: RecordEncoder
    var refusals = TopicRefusals()
    /// Refused topics are being tried.
    var isProbing = false
    var question = OpenQuestion()
    /// Lanes of which a refused frame is being kept on disk: nothing of them is sent before that is done.
    var keepingLanes: Set<Int> = []
    var window: SendWindow
    var inFlight = InFlight()
    /// What a record may be, bytes: as configured, or less where a topic takes less.
    private(set) var recordLimit: Int
    var topics = TopicWatch()
    var tails = DeliveredTails()
    var advertised: AdvertisedNames
    var latency = RecentLatency()
    private var allowance = BackfillAllowance()
    var status = Status()
    /// Since when records are under way and nothing is heard of any; nil when none are, or a report has just come.
    private var silentSince: MonotonicTime?
    var lastError: BrokerError?
    /// The kind of refusal (certificate, login) that was said last.
    var refusal: String?
    /// The fatal error after which a new producer is needed.
    var fatal: BrokerError?
    /// Producers made so far.
    var producerCount = 0
    /// The number of the one that topics share; events of an earlier one say nothing about it.
    var sharedProducer = 0
    /// How often certificates or login were renewed.
    var renewalCount = 0
    /// Producers that failed since the last acknowledgement.
    var failedProducerCount = 0
    var isStopping = false
    /// Threads that wait for room in the window.
    var roomWaiterCount = 0
    /// Whether somebody waits for what a report changes: room, a lane whose records are all back, a failed producer.
    var areReportsAwaited: Bool { roomWaiterCount > 0 || fatal != nil || !tails.doubtful.isEmpty }
    /// TLS and SASL of the next producer that is made.
    var security: Security
    /// A producer with these is to be made.
    var newSecurity: Security?

    /// Kafka's tail may be read.
    let canLook: Bool

    init(
      lanes: [LaneDescription], encoder: RecordEncoder, security: Security, window: SendWindow, recordLimit: Int,
      brokers: String = "", canLook: Bool = false
    ) {
      (self.security, self.window, self.recordLimit) = (security, window, recordLimit)
      self.encoder = encoder
      (advertised, self.canLook) = (AdvertisedNames(bootstrap: brokers), canLook)
      add(lanes)
    }

    /// Lanes are only ever added, behind the others: their numbers are those of the backlog.
    mutating func add(_ new: [LaneDescription]) {
      lanes += new
      flows += new.map { _ in LaneFlow(laneCount: lanes.count) }
      for index in flows.indices { flows[index].share(with: lanes.count) }
      encoder.lanes = lanes
    }

    /// Takes note of the time; what is to be said of an advertised address that is of no use, when it is due.
    mutating func uselessAddress(now: MonotonicTime) -> String? {
      guard let report = advertised.report(now: now) else { return nil }
      // Where other brokers take records only the warning tells of it.
      if status.acknowledgedCount == 0 { status.trouble = status.trouble ?? (now, report) }
      return report
    }

    /// Takes note of the time; what the cluster was asked and has not answered for too long.
    mutating func overdueQuestion(now: MonotonicTime) -> String? {
      status.trouble == nil ? question.overdue(after: Forwarder.patience, now: now) : nil
    }

    /// From the next producer on records are no larger than this; nothing when they are not anyway.
    mutating func lower(recordLimit limit: Int) {
      let limit = max(limit, Forwarder.smallestRecord)
      guard limit < recordLimit else { return }
      recordLimit = limit
      newSecurity = newSecurity ?? security
    }

    /// A record that was refused as too large is tried in smaller parts before it counts as hopeless: whoever may not read
    /// a topic's limit finds it so.
    private mutating func softened(_ report: InFlight.Report) -> BrokerError? {
      guard var error = report.error, error.name == "MSG_SIZE_TOO_LARGE", recordLimit > Forwarder.smallestRecord,
        report.entry.frame.payload.byteCount + FrameHeaders.overhead > Forwarder.smallestRecord
      else { return report.error }
      if newSecurity == nil { lower(recordLimit: recordLimit / 2) }
      error.disposition = .resend
      return error
    }

    /// The report on a record; what became of its frame when that was the last one.
    mutating func take(_ report: DeliveryReport, now: MonotonicTime) -> InFlight.Report? {
      guard let byteCount = inFlight.byteCount(of: report.id) else { return nil }
      silentSince = nil
      if let error = report.error {
        window.failed(byteCount, now: now)
        if error.disposition == .recreate, !inFlight.isProbe(report.id) { fatal = fatal ?? error }
        if report.mayBePersisted, canLook, let lane = inFlight.lane(of: report.id) { tails.doubt(lane.index) }
      } else {
        window.acknowledged(byteCount, now: now)
        allowance.acknowledged(byteCount, latency: inFlight.lonelySendTime(of: report.id).map { now - $0 }, now: now)
        failedProducerCount = 0
      }
      let isPlaced = report.error == nil && report.partition >= 0 && report.offset >= 0
      let position = isPlaced ? RecordPosition(partition: report.partition, offset: report.offset) : nil
      return inFlight.reported(report.id, report.error, at: position)
    }

    /// Whether an entry may be under way, too, whose next record has so many bytes. What is under way stays in memory: the
    /// window is the share of it that may, whatever the link could carry.
    func hasRoom(for byteCount: Int) -> Bool {
      inFlight.memoryBytes < window.largest && window.hasRoom(for: byteCount)
    }

    /// Of each lane whether nothing of it is sent for now, for its own or its topic's sake.
    func heldLanes(now: MonotonicTime) -> [Bool] {
      lanes.indices.map { lane in
        tails.isDoubtful(lane) || keepingLanes.contains(lane) || flows[lane].isHeld(now: now)
          || refusals.refusal(of: lanes[lane].topic).map { now < $0.nextTry } ?? false
      }
    }

    /// Whether so many bytes more of the backlog may be under way beside new frames.
    func hasBackfillRoom(for count: Int, now: MonotonicTime) -> Bool {
      inFlight.backfillByteCount == 0 || inFlight.backfillByteCount + count <= allowance.limit(now: now)
    }

    /// Takes note of the time; true when brokers have been silent for too long, once.
    mutating func isSilentForLong(now: MonotonicTime) -> Bool {
      silentSince = inFlight.isEmpty ? nil : silentSince ?? now
      guard let silentSince, status.trouble == nil, now - silentSince >= Forwarder.patience else { return false }
      status.trouble = (silentSince, "no answer")
      return true
    }

    /// What the end of a frame means for its lane.
    mutating func finish(_ report: InFlight.Report, now: MonotonicTime) -> Outcome {
      if report.error == nil {
        status.acknowledgedCount += 1
        status.acknowledgedBytes += UInt64(report.entry.frame.payload.byteCount)
        if let arrival = report.entry.arrival, !report.isBackfill { latency.add(now - arrival, now: now) }
      }
      let lane = report.entry.lane.index
      if let error = report.error, error.isRefusalOfTopic {
        refusals.refused(lanes[lane].topic, error, now: now)
      } else if report.error == nil, report.isProbe {
        refusals.accepted(lanes[lane].topic)
      }
      let before = flows[lane].trouble
      let actions = flows[lane].reported(report.entry, softened(report), now: now)
      let isNewTrouble = flows[lane].trouble.map { trouble in !(before.map(trouble.isLike) ?? false) } ?? false
      return Outcome(
        lane: lane, error: report.error, actions: actions, position: report.position, isNewTrouble: isNewTrouble,
        needsProbing: !refusals.isEmpty && !isProbing)
    }
  }

  /// What a report means for its lane.
  struct Outcome {
    var lane: Int
    var error: BrokerError?
    var actions: [LaneFlow.Action]
    /// Where the frame that is finished lies.
    var position: RecordPosition?
    var isNewTrouble: Bool
    /// A topic was refused and is not being tried yet.
    var needsProbing: Bool

    /// A frame will never be accepted.
    var hasRefused: Bool {
      actions.contains { if case .drop = $0 { true } else { false } }
    }
  }
}
