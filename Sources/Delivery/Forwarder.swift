import Backlog
import Broker
import Frames
import Posix

// From the backlog to Kafka and, by delivery reports, back. Two threads: `forward` waits for a frame that may leave and
// room in the window, `kafka-events` serves reports. A record is finished when the broker has acknowledged it, and by
// nothing else but a counted drop. Locks are taken in one order: the backlog's, then `state`.

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
    /// Further librdkafka properties; they win over Camgate's defaults.
    package var properties: [ClientProperty]

    package init(
      brokers: String, clientID: String, messageMaxBytes: Int, windowBytes: Int, properties: [ClientProperty] = []
    ) {
      (self.brokers, self.clientID, self.messageMaxBytes) = (brokers, clientID, messageMaxBytes)
      (self.windowBytes, self.properties) = (windowBytes, properties)
    }
  }

  /// How the delivery stands.
  package struct Status: Sendable {
    /// Frames the broker has acknowledged.
    package var acknowledgedCount: UInt64 = 0
    package var acknowledgedBytes: UInt64 = 0
    /// Frames that were sent and are not acknowledged.
    package var inFlightCount = 0
    /// Since when and why nothing gets through; nil while all is well.
    package var trouble: (since: MonotonicTime, reason: String)?
  }

  private struct State {
    var lanes: [LaneFlow]
    var inFlight: [UInt: Entry] = [:]
    var inFlightBytes = 0
    var nextID: UInt = 1
    var status = Status()
    var lastError: BrokerError?
    /// The fatal error after which a new producer is needed.
    var fatal: BrokerError?
    /// Producers made so far; events of an earlier one say nothing about the present one.
    var producerCount = 0
    /// Producers that failed since the last acknowledgement.
    var failedProducerCount = 0
    var isStopping = false

    /// The report on an entry in flight; nil for one that is not.
    mutating func take(_ report: DeliveryReport, now: MonotonicTime) -> Outcome? {
      guard let entry = inFlight.removeValue(forKey: report.id) else { return nil }
      inFlightBytes -= entry.byteCount
      status.inFlightCount -= 1
      if let error = report.error {
        if error.disposition == .recreate { fatal = fatal ?? error }
      } else {
        status.acknowledgedCount += 1
        status.acknowledgedBytes += UInt64(entry.frame.payload.byteCount)
        failedProducerCount = 0
      }
      let lane = entry.lane.index
      let before = lanes[lane].trouble
      let actions = lanes[lane].reported(entry, report.error, now: now)
      let isNewTrouble = lanes[lane].trouble != nil && lanes[lane].trouble != before
      return Outcome(lane: lane, actions: actions, isNewTrouble: isNewTrouble)
    }
  }

  /// What a report means for its lane.
  private struct Outcome {
    var lane: Int
    var actions: [LaneFlow.Action]
    var isNewTrouble: Bool
  }

  private let configuration: Configuration
  private let lanes: [LaneDescription]
  private let encoder: RecordEncoder
  private let backlog: Backlog
  private let log: Log
  private let state: Monitor<State>
  private let producer = Monitor<Producer?>(nil)
  private let threads = Monitor<[Thread]>([])

  /// `lanes` in the order of the backlog's lane numbers.
  package init(
    configuration: Configuration, identity: GatewayIdentity, lanes: [LaneDescription], backlog: Backlog, log: Log
  ) {
    (self.configuration, self.lanes, self.backlog, self.log) = (configuration, lanes, backlog, log)
    encoder = RecordEncoder(identity: identity, lanes: lanes)
    state = Monitor(State(lanes: lanes.map { _ in LaneFlow() }))
  }

  package var status: Status { state.read { $0.status } }

  /// Starts the threads. Throws when librdkafka does not accept the configuration; that Kafka is away is no error.
  package func start() throws(BrokerError) {
    let first = try makeProducer()
    producer.withLock { $0 = first }
    threads.withLock {
      $0 = [
        Thread.start(name: "forward") { [self] in forward() },
        Thread.start(name: "kafka-events") { [self] in
          while let producer = currentProducer { producer.poll(milliseconds: 100) }
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
    // The last reference: what is in flight is purged and reported back to the backlog.
    producer.withLock { $0 = nil }
    return backlog.waitingCount
  }

  /// nil once stopping.
  private var currentProducer: Producer? { state.read { $0.isStopping } ? nil : producer.read { $0 } }

  // MARK: The thread `forward`

  private func forward() {
    while let producer = currentProducer {
      if let fatal = state.read({ $0.fatal }) {
        replace(producer, after: fatal)
      } else if let entry = backlog.take(until: nextLook(), where: mayLeave) {
        send(entry, by: producer)
        while let next = backlog.take(until: .now(), where: mayLeave) { send(next, by: producer) }
        Thread.sleep(Forwarder.gathering)
      }
    }
  }

  /// The cameras' frames of so much time leave together: waking this thread and librdkafka's for each of them costs more
  /// than sending them.
  private static let gathering = Duration.milliseconds(10)

  private func mayLeave(_ entry: Entry) -> Bool {
    state.read { state in
      state.fatal == nil && state.lanes[entry.lane.index].isOpen(for: entry, now: .now())
        && (state.inFlight.isEmpty || state.inFlightBytes + entry.byteCount <= configuration.windowBytes)
    }
  }

  /// `take` is woken by new frames and by reports, not by a held lane that opens.
  private func nextLook() -> MonotonicTime {
    let now = MonotonicTime.now()
    let opening = state.read { $0.lanes.compactMap(\.opensAt).filter { $0 > now }.min() }
    return min(opening ?? .init(nanoseconds: .max), now + .seconds(1))
  }

  private func send(_ entry: Entry, by producer: Producer) {
    let id = state.withLock { state -> UInt in
      let id = state.nextID
      state.nextID += 1
      state.inFlight[id] = entry
      state.inFlightBytes += entry.byteCount
      state.status.inFlightCount += 1
      state.lanes[entry.lane.index].sent(entry)
      return id
    }
    do throws(BrokerError) {
      try producer.send(encoder.record(for: entry), payload: entry.frame.payload.bytes, id: id)
    } catch {
      // A full queue cannot be (the window is smaller); whatever it is, the entry is still ours.
      handle(DeliveryReport(id: id, error: error))
    }
  }

  /// A new producer has a new id, so the broker no longer removes duplicates of what the old one sent: all its reports
  /// are waited for first, and only what is not acknowledged is sent again, in order. One that fails again and again
  /// (missing rights, say) is replaced at growing intervals.
  private func replace(_ old: Producer, after fatal: BrokerError) {
    let failures = state.withLock { state -> Int in
      state.failedProducerCount += 1
      return state.failedProducerCount
    }
    let pause = failures == 1 ? Duration.zero : min(.seconds(1 << min(failures - 2, 5)), Forwarder.longestPause)
    // Reports and refusals say `_FATAL` or that records were purged; the producer knows why.
    let cause = old.fatalError ?? fatal
    log.warning(
      "the producer failed (\(cause.name): \(cause.message)); starting a new one in \(pause.components.seconds) s, "
        + "nothing is lost")
    let drained = MonotonicTime.now() + Forwarder.drainTimeout
    while !isDrained, MonotonicTime.now() < drained { old.poll(milliseconds: 50) }
    old.purge()
    while !isDrained { old.poll(milliseconds: 50) }
    wait(pause)
    do throws(BrokerError) {
      let new = try makeProducer()
      state.withLock { $0.fatal = nil }
      producer.withLock { $0 = new }
    } catch {
      log.error("no new producer: \(error.message); retry in 1 s")
      wait(.seconds(1))
    }
  }

  /// How long answers to what is in flight are waited for when the producer has failed; without one they would be sent
  /// twice.
  private static let drainTimeout = Duration.seconds(10)
  /// The longest pause between a producer that failed and the next.
  private static let longestPause = Duration.seconds(30)

  private var isDrained: Bool { state.read { $0.inFlight.isEmpty || $0.isStopping } }

  /// Waits unless stopping.
  private func wait(_ pause: Duration) { _ = state.wait(until: .now() + pause) { $0.isStopping ? true : nil } }

  // MARK: Reports and events

  private func handle(_ report: DeliveryReport) {
    var outcome: Outcome?
    backlog.settle {
      outcome = state.withLock { $0.take(report, now: .now()) }
      return outcome?.actions.map(settlement(of:)) ?? []
    }
    guard let outcome else { return }
    if report.error?.disposition == .recreate { backlog.wake() }
    explain(report, lane: lanes[outcome.lane], isNewTrouble: outcome.isNewTrouble)
    for case .drop(let entry, let error) in outcome.actions {
      log.error(
        "\(lanes[entry.lane.index].camera): Kafka will never accept frame \(entry.sequence) (\(error.name): "
          + "\(error.message)); it is dropped and counted")
    }
  }

  private func settlement(of action: LaneFlow.Action) -> Settlement {
    switch action {
    case .finish(let entry): .finished(entry)
    case .drop(let entry, _): .dropped(entry, .quarantined)
    case .putBack(let entries): .putBack(entries)
    }
  }

  private func explain(_ report: DeliveryReport, lane: LaneDescription, isNewTrouble: Bool) {
    guard let error = report.error else { return reached() }
    guard isNewTrouble else { return }
    let remedy: String
    switch error.disposition {
    case .hold: remedy = "are held, create the topic or mend the rights"
    case .resend: remedy = "are sent again"
    case .poison, .recreate: return
    }
    log.warning(
      "topic '\(lane.topic)': \(error.message) (\(error.name)); frames of \(lane.camera) \(remedy); retry in 1 s, "
        + "then at growing intervals up to 30 s")
  }

  /// The broker has acknowledged something.
  private func reached() {
    let trouble = state.withLock { state -> (since: MonotonicTime, reason: String)? in
      defer { state.status.trouble = nil }
      return state.status.trouble
    }
    if let trouble {
      let seconds = Int((MonotonicTime.now() - trouble.since).inSeconds.rounded())
      log.info("Kafka takes records again after \(seconds) s; \(backlog.waitingCount) frames wait")
    }
  }

  private func handle(_ event: ClientEvent, fromProducer number: Int) {
    switch event {
    case .log(let line): log.debug(line)
    case .error(let error) where error.disposition == .recreate:
      state.withLock { if $0.producerCount == number { $0.fatal = $0.fatal ?? error } }
      backlog.wake()
    case .error(let error): noteTrouble(error)
    }
  }

  /// Says once that Kafka cannot be used, with the most telling of librdkafka's reasons.
  private func noteTrouble(_ error: BrokerError) {
    log.debug("\(error.name): \(error.message)")
    let isAllDown = error.name == "_ALL_BROKERS_DOWN"
    let reason = state.withLock { state -> String? in
      // One broker of several may be away; only when all are is there trouble, and then the last error says which.
      if !isAllDown {
        state.lastError = error
        if error.isUnreachable { return nil }
      }
      guard state.status.trouble == nil else { return nil }
      let reason = isAllDown ? state.lastError?.message ?? error.message : error.message
      state.status.trouble = (.now(), reason)
      return reason
    }
    if let reason { log.warning("no connection to Kafka (\(reason)); frames are kept, retrying all the time") }
  }

  private func makeProducer() throws(BrokerError) -> Producer {
    let number = state.withLock { state -> Int in
      state.producerCount += 1
      return state.producerCount
    }
    return try Producer(
      properties: ProducerProperties.all(for: configuration),
      onReport: { [weak self] in self?.handle($0) },
      onEvent: { [weak self] in self?.handle($0, fromProducer: number) })
  }
}
