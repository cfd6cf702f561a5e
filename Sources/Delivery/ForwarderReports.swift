import Backlog
import Broker
import Posix
import Records

// What delivery reports and librdkafka's events mean, and what is said of them.

extension Forwarder {
  func handle(_ report: DeliveryReport) {
    settle(now: .now()) { $0.take(report, now: .now()) }
    if report.error?.disposition == .recreate { backlog.wake() }
  }

  /// `decide` says what became of a frame, if anything; the backlog and the lane learn of it in one step.
  func settle(now: MonotonicTime, _ decide: (inout State) -> InFlight.Report?) {
    var outcome: Outcome?
    backlog.settle {
      outcome = state.withLock(wakingIf: { $0.areReportsAwaited }) { state in
        let outcome = decide(&state).map { state.finish($0, now: now) }
        if quarantine != nil, let outcome, outcome.hasRefused { state.keepingLanes.insert(outcome.lane) }
        return outcome
      }
      return outcome.map { outcome in outcome.actions.compactMap { settlement(of: $0, at: outcome.position) } } ?? []
    }
    guard let outcome else { return }
    if outcome.needsProbing { startProbing() }
    explain(outcome.error, lane: lanes[outcome.lane], isNewTrouble: outcome.isNewTrouble)
    for case .drop(let entry, let error) in outcome.actions { refused(entry, error) }
  }

  /// Kafka will never accept this frame.
  private func refused(_ entry: Entry, _ error: BrokerError) {
    let place = quarantine.map { "kept in \($0.directory) if there is room, counted, and left out" }
    log.error(
      "\(lanes[entry.lane.index].camera): Kafka will never accept frame \(entry.sequence) (\(error.name): "
        + "\(error.message)); it is \(place ?? "dropped and counted: there is no buffer.directory to keep it in")")
    let record = state.read { $0.encoder }.record(for: entry)
    let header = { (name: String) in record.headers.first { $0.name == name }?.value ?? "" }
    // Only what is safe leaves the backlog, and the next frame of its lane, which tells that it is missing, waits for that.
    quarantine?.keep(
      RefusedFrame(
        camera: lanes[entry.lane.index].camera.text, topic: record.topic, id: header(HeaderName.id),
        time: header(HeaderName.time), contentType: header(HeaderName.contentType),
        reason: "\(error.name): \(error.message)",
        bytes: Array(entry.frame.payload.bytes))
    ) { [self] in
      backlog.settle {
        unheard { _ = $0.keepingLanes.remove(entry.lane.index) }
        return [.dropped(entry, .quarantined)]
      }
    }
  }

  /// nil for a frame that the quarantine has to keep first.
  private func settlement(of action: LaneFlow.Action, at position: RecordPosition?) -> Settlement? {
    switch action {
    case .finish(let entry): .finished(entry, at: position)
    case .drop(let entry, _): quarantine == nil ? .dropped(entry, .quarantined) : nil
    case .putBack(let entries): .putBack(entries)
    }
  }

  private func explain(_ error: BrokerError?, lane: LaneDescription, isNewTrouble: Bool) {
    guard let error else { return reached() }
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
    let trouble = unheard { state -> (since: MonotonicTime, reason: String)? in
      defer { (state.status.trouble, state.refusal) = (nil, nil) }
      return state.status.trouble
    }
    if let trouble {
      let seconds = Int((MonotonicTime.now() - trouble.since).inSeconds.rounded())
      log.info("Kafka takes records again after \(seconds) s; \(backlog.waitingCount) frames wait")
    }
  }

  /// What librdkafka says besides reports; `number` is that of the producer, nil for a client that only asks or reads.
  func handle(_ event: ClientEvent, fromProducer number: Int?) {
    switch event {
    case .answered(let broker): unheard { $0.advertised.answered(broker) }
    case .log(let line): log.debug(line)
    case .token(let token): log.secrets.registerToken(token)
    case .error(let error) where error.disposition == .recreate:
      state.withLock { if $0.sharedProducer == number { $0.fatal = $0.fatal ?? error } }
      backlog.wake()
    case .error(let error): noteTrouble(error)
    }
  }

  /// Says once that Kafka cannot be used, with the most telling of librdkafka's reasons.
  private func noteTrouble(_ error: BrokerError) {
    log.debug("\(error.name): \(error.message)")
    let isAllDown = error.name == "_ALL_BROKERS_DOWN"
    let reason = state.withLock { state -> String? in
      state.advertised.failed(error, now: .now())
      // One broker of several may be away; only when all are is there trouble, and then the last error says which.
      if !isAllDown {
        state.lastError = error
        if error.isUnreachable { return nil }
      }
      // Refused is another thing than away: it is said also when there was trouble before.
      let isRefusal = error.disposition == .hold && state.refusal != error.name
      if error.disposition == .hold { state.refusal = error.name }
      guard state.status.trouble == nil || isRefusal else { return nil }
      let reason = isAllDown ? state.lastError?.message ?? error.message : error.message
      state.status.trouble = (state.status.trouble?.since ?? .now(), reason)
      return reason
    }
    if let reason { log.warning("no connection to Kafka (\(reason)); frames are kept, retrying all the time") }
  }
}
