import Backlog
import Broker
import Frames
import Posix
import Records
import Synchronization

// From the backlog to Kafka and, by delivery reports, back. The thread `forward` waits for a frame that may leave and room in
// the window, `kafka-events` serves reports (ForwarderReports.swift), `kafka-topics` asks about topics (ForwarderTopics.swift);
// with `resumeQuiet`, `kafka-tails` looks for what Kafka has already (ForwarderTails.swift), and while topics are refused,
// `kafka-probe` tries them (ForwarderProbe.swift). A record is finished when the broker has acknowledged it, or lies in Kafka
// already, and by nothing else but a counted drop. Locks are taken in one order: the backlog's, then `state`.

/// Sends what the backlog holds.
package final class Forwarder: Sendable {
  /// How to reach the cluster, and how much may be under way.
  package struct Configuration: Sendable {
    /// `host:port,…`
    package var brokers: String
    package var clientID: String
    /// What a record may be, bytes.
    package var messageMaxBytes: Int
    /// Bytes that may be sent and not yet acknowledged.
    package var windowBytes: Int
    /// TLS and SASL at the start.
    package var security: Security
    /// Bytes a second while there is a backlog; nil: as fast as it goes.
    package var catchUpRate: Int?
    /// How long Kafka must hold nothing of ours before looking there ends; nil: it is not looked at all, and what an
    /// earlier run may have delivered is sent again.
    package var resumeQuiet: Duration?
    var catchUp: CatchUp.Settings { CatchUp.Settings(bytesPerSecond: catchUpRate.map { Double($0) }) }
    /// Further librdkafka properties; they win over Camgate's defaults.
    package var properties: [ClientProperty]

    package init(
      brokers: String, clientID: String, messageMaxBytes: Int, windowBytes: Int, security: Security = Security(),
      catchUpRate: Int? = nil, resumeQuiet: Duration? = nil, properties: [ClientProperty] = []
    ) {
      (self.catchUpRate, self.resumeQuiet) = (catchUpRate, resumeQuiet)
      self.security = security
      (self.brokers, self.clientID, self.messageMaxBytes) = (brokers, clientID, messageMaxBytes)
      (self.windowBytes, self.properties) = (windowBytes, properties)
    }

    /// When librdkafka gives a request up: `socket.timeout.ms`, a minute unless the properties say otherwise.
    var requestTimeout: Duration {
      .milliseconds(properties.last { $0.name == "socket.timeout.ms" }.flatMap { Int($0.value) } ?? 60_000)
    }
  }

  let configuration: Configuration
  let quarantine: Quarantine?
  private let hasBackfill: Bool
  let backlog: Backlog
  let log: Log
  let state: Monitor<State>
  let producer = Monitor<Producer?>(nil)
  /// Who asks for the topics; nil until that thread has begun.
  let inspector = Monitor<ClusterInspector?>(nil)
  /// The thread that tries refused topics.
  let prober = Monitor<Thread?>(nil)
  private let threads = Monitor<[Thread]>([])
  private let laneCount: Atomic<Int>
  private let forwarding = Heartbeat()
  private let serving = Heartbeat()

  /// `lanes` in the order of the backlog's lane numbers. What Kafka will never take goes to `quarantine`, if there is one.
  package init(
    configuration: Configuration, identity: GatewayIdentity, lanes: [LaneDescription], backlog: Backlog,
    quarantine: Quarantine? = nil, log: Log
  ) {
    (self.configuration, self.backlog, self.log) = (configuration, backlog, log)
    self.quarantine = quarantine
    hasBackfill = lanes.contains(where: \.isBackfill)
    laneCount = Atomic(lanes.count)
    state = Monitor(
      State(
        lanes: lanes, encoder: RecordEncoder(identity: identity, lanes: lanes), security: configuration.security,
        window: SendWindow(largest: configuration.windowBytes, timeout: configuration.requestTimeout),
        recordLimit: configuration.messageMaxBytes, brokers: configuration.brokers,
        canLook: configuration.resumeQuiet != nil))
  }

  /// All lanes, in the order of the backlog's lane numbers. Takes the lock of `state`.
  package var lanes: [LaneDescription] { state.read { $0.lanes } }

  /// Lanes that were just added to the backlog, behind the others; to be called with the backlog's lock held, so that
  /// no frame of a lane is taken that is not known here. With live-first the gateway's own have a second one each.
  package func add(_ lanes: [LaneDescription]) {
    let count = state.withLock { state -> Int in
      state.add(lanes)
      return state.lanes.count
    }
    laneCount.store(count, ordering: .relaxed)
  }

  package var status: Status {
    state.read { state in
      let lanes = state.lanes
      var status = state.status
      status.inFlightCount = state.inFlight.frameCount
      status.inFlightBytes = state.window.byteCount
      for topic in Set(lanes.map(\.topic)) { status.partitionCounts[topic] = state.topics.partitionCount(of: topic) }
      status.windowBytes = state.window.limit
      status.liveLatency = state.latency.histogram
      if let quarantine { status.quarantine = quarantine.count }
      status.held = lanes.indices.compactMap { index in
        let flow = state.flows[index]
        if let trouble = flow.trouble, let since = flow.troubleSince {
          return HeldLane(lane: lanes[index], since: since, reason: trouble.message)
        }
        return state.refusals.refusal(of: lanes[index].topic).map { refusal in
          HeldLane(lane: lanes[index], since: refusal.since, reason: refusal.error.message)
        }
      }
      return status
    }
  }

  /// How long ago its threads last gave a sign of life: about a second at most, whether Kafka is there or not.
  package func silence(now: MonotonicTime) -> Duration { max(forwarding.age(now: now), serving.age(now: now)) }

  /// Starts the threads. Throws when librdkafka does not accept the configuration; that Kafka is away is no error.
  package func start() throws(BrokerError) {
    let first = try makeProducer()
    producer.withLock { $0 = first }
    _ = Thread.start(name: "kafka-topics") { [self] in watchTopics() }
    if configuration.resumeQuiet != nil {
      backlog.requirePositions()
      beginDoubtful()
      _ = Thread.start(name: "kafka-tails") { [self] in watchTails() }
    }
    threads.withLock {
      $0 = [
        Thread.start(name: "forward") { [self] in forward() },
        Thread.start(name: "kafka-events") { [self] in
          while let producer = currentProducer {
            serving.beat()
            inspector.read { $0 }?.poll()
            producer.poll(milliseconds: 100)
          }
        },
      ]
    }
  }

  /// Waits until everything the backlog holds is acknowledged, at most until `deadline`, then stops. Returns how many
  /// frames were left behind.
  package func drain(until deadline: MonotonicTime) -> Int {
    _ = backlog.waitUntilEmpty(until: deadline)
    state.withLock { $0.isStopping = true }
    backlog.wake()
    for thread in threads.read({ $0 }) { thread.join() }
    prober.read { $0 }?.join()
    inspector.withLock { $0 = nil }
    // What is in flight is purged and reported back to the backlog.
    let last = producer.withLock { producer -> Producer? in
      defer { producer = nil }
      return producer
    }
    last?.purge()
    while state.read({ !$0.inFlight.isEmpty }) { last?.poll(milliseconds: 50) }
    quarantine?.close()
    return backlog.waitingCount
  }

  /// Uses these certificates and this login from now on; files are read again.
  package func renew(_ security: Security) {
    state.withLock { $0.newSecurity = security }
    backlog.wake()
  }

  /// nil once stopping.
  var currentProducer: Producer? { state.read { $0.isStopping } ? nil : producer.read { $0 } }

  // MARK: The thread `forward`

  private func forward() {
    var catchUp = CatchUp(configuration.catchUp, laneCount: laneCount.load(ordering: .relaxed))
    while let producer = currentProducer {
      forwarding.beat()
      if let fatal = state.read({ $0.fatal }) {
        replace(producer, after: fatal)
      } else if let security = state.read({ $0.newSecurity }) {
        renew(producer, security)
      } else if let entry = next(until: nextLook(), &catchUp) {
        send(entry, by: producer)
        // A backlog may last for hours: what comes between rounds must not wait for its end.
        let end = MonotonicTime.now() + .seconds(1)
        while .now() < end, let next = next(until: .now(), &catchUp) { send(next, by: producer) }
        if !catchUp.isCatchingUp { Thread.sleep(Forwarder.gathering) }
      }
    }
  }

  /// The cameras' frames of so much time leave together: waking this thread and librdkafka's for each of them costs more
  /// than sending them.
  private static let gathering = Duration.milliseconds(5)

  /// Brokers that are connected and silent for so long are said to be.
  static let patience = Duration.seconds(20)

  /// The frame whose turn it is; waits for one until `deadline`, and for the rate cap.
  private func next(until deadline: MonotonicTime, _ catchUp: inout CatchUp) -> Entry? {
    catchUp.laneCount = laneCount.load(ordering: .relaxed)
    catchUp.observe(waitingCount: backlog.waitingCount, now: .now())
    let departure = catchUp.nextDeparture(now: .now())
    var entry: Entry?
    if hasBackfill {
      // A live frame waits neither for the backlog nor for the cap on it.
      entry = backlog.take(until: departure > .now() ? min(departure, deadline) : .now()) { entry in
        !lanes[entry.lane.index].isBackfill && mayLeave(entry)
      }
      if entry == nil, departure > .now() { return nil }
    } else if departure > .now() {
      // A large frame may have used the rate up for minutes.
      wait(min(departure - .now(), .seconds(1)))
      if departure > .now() { return nil }
    }
    if entry == nil, catchUp.isCatchingUp, catchUp.isRoundBegun {
      entry = backlog.take(until: .now()) { catchUp.hasTurn($0.lane) && mayLeave($0) }
    }
    if entry == nil {
      catchUp.beginRound()
      entry = backlog.take(until: deadline, where: mayLeave)
    }
    if let entry { catchUp.sent(entry.frame.payload.byteCount + Forwarder.headerBytes, of: entry.lane) }
    return entry
  }

  /// What headers and framing add to a frame, about.
  private static let headerBytes = 400

  private func mayLeave(_ entry: Entry) -> Bool {
    state.read { state in
      let byteCount = min(entry.byteCount, partBytes(of: entry, state) + FrameHeaders.overhead)
      let lane = entry.lane.index
      return state.fatal == nil && !state.tails.isDoubtful(lane) && !state.keepingLanes.contains(lane)
        && state.refusals.refusal(of: state.lanes[lane].topic) == nil
        && state.flows[lane].isOpen(for: entry, now: .now())
        && state.hasRoom(for: byteCount)
        && (!state.lanes[lane].isBackfill || state.hasBackfillRoom(for: byteCount, now: .now()))
    }
  }

  /// What one record of the entry may carry of its frame, bytes.
  private func partBytes(of entry: Entry, _ state: borrowing State) -> Int {
    let largest = state.recordLimit - FrameHeaders.overhead
    let smallest = Forwarder.smallestRecord - FrameHeaders.overhead
    return min(largest, state.window.recordBytes(forFrameOf: entry.frame.payload.byteCount, least: smallest))
  }

  /// No record is made smaller than this, bytes.
  static let smallestRecord = 16 << 10

  /// `take` is woken by new frames and by reports, not by a held lane that opens.
  private func nextLook() -> MonotonicTime {
    let now = MonotonicTime.now()
    tellHeldLanes(now: now)
    let isSilent = unheard { state -> Bool in
      state.window.tick(now: now)
      return state.isSilentForLong(now: now)
    }
    if isSilent {
      log.warning(
        "Kafka has not answered for \(Forwarder.patience.components.seconds) s; frames are kept, retrying all the time")
    }
    if let report = unheard({ $0.uselessAddress(now: now) }) { log.warning(report) }
    if configuration.resumeQuiet != nil, let what = unheard({ $0.overdueQuestion(now: now) }) {
      log.warning("Kafka has not told \(what) yet; frames are kept until it does, as long as the link takes")
    }
    let opening = state.read { $0.flows.compactMap(\.opensAt).filter { $0 > now }.min() }
    return min(opening ?? .init(nanoseconds: .max), now + .seconds(1))
  }

  /// What is not sent for now is not read from disk either.
  func tellHeldLanes(now: MonotonicTime) { backlog.hold { state.read { $0.heldLanes(now: now) } } }

  /// Hands the records of a frame to a producer: the shared one, or one that tries a topic.
  func send(_ entry: Entry, by producer: Producer, isProbe: Bool = false) {
    let earlier = unheard { state -> RecordPosition? in
      let identity = state.encoder.identity
      return state.tails.position(of: entry, in: identity)
    }
    if let position = earlier {
      return backlog.settle { [.finished(entry, at: position)] }
    }
    let (encoder, largest) = state.read { ($0.encoder, partBytes(of: entry, $0)) }
    let parts = encoder.parts(of: entry, partBytes: largest)
    let lanes = lanes
    let frame = unheard { state -> UInt in
      state.flows[entry.lane.index].sent(entry, now: .now())
      return state.inFlight.begin(
        entry, recordCount: parts.count, isBackfill: lanes[entry.lane.index].isBackfill, isProbe: isProbe)
    }
    for (index, part) in parts.enumerated() {
      let byteCount = part.range.count + FrameHeaders.overhead
      if index > 0, let obstacle = waitForRoom(byteCount, isProbe: isProbe) {
        return settle(now: .now()) { $0.inFlight.abandon(parts.count - index, of: frame, obstacle) }
      }
      let id = unheard { state -> UInt in
        state.window.sent(byteCount, now: .now())
        return state.inFlight.send(byteCount, of: frame, now: .now())
      }
      do throws(BrokerError) {
        let value = UnsafeRawBufferPointer(rebasing: entry.frame.payload.bytes[part.range])
        try producer.send(part.record, payload: value, id: id)
      } catch {
        // A full queue cannot be (the window is smaller); whatever it is, the entry is still ours.
        handle(DeliveryReport(id: id, error: error))
      }
    }
  }

  /// Changes what no other thread waits for: waking them for every record costs more than sending it.
  func unheard<Result>(_ body: (inout State) -> Result) -> Result { state.withLock(wakingIf: { _ in false }, body) }

  /// Waits until so many bytes more may be under way; returns why that will not be.
  private func waitForRoom(_ byteCount: Int, isProbe: Bool) -> BrokerError? {
    unheard { $0.roomWaiterCount += 1 }
    defer { unheard { $0.roomWaiterCount -= 1 } }
    while true {
      if !isProbe { forwarding.beat() }
      let outcome: BrokerError?? = state.wait(until: .now() + .seconds(1)) { state in
        if state.isStopping || state.newSecurity != nil {
          // Without the new certificates there may never be room; the frame is sent again from its first part.
          return .some(BrokerError(name: "_PURGE", message: "another producer", disposition: .recreate))
        }
        if !isProbe, let fatal = state.fatal { return .some(fatal) }
        return state.window.hasRoom(for: byteCount) ? .some(nil) : nil
      }
      if let outcome { return outcome }
      state.withLock { $0.window.tick(now: .now()) }
    }
  }

  /// Waits unless stopping.
  func wait(_ pause: Duration) { _ = state.wait(until: .now() + pause) { $0.isStopping ? true : nil } }
}
