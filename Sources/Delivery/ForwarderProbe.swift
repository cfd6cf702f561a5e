import Backlog
import Broker
import Posix

// Tries topics that were refused, one record at a time, with a producer that lives for one try: what it costs when it is
// refused again is no other topic's. The thread exists while there are refused topics. Invariant: of a refused topic nothing
// is in flight but this one record, so its order is kept when it returns to the shared producer.

extension Forwarder {
  /// Begins to try refused topics, unless that is done already.
  func startProbing() {
    let isNeeded = state.withLock { state -> Bool in
      defer { if !state.isStopping { state.isProbing = true } }
      return !state.isProbing && !state.isStopping
    }
    guard isNeeded else { return }
    prober.withLock { $0 = Thread.start(name: "kafka-probe") { [self] in probeTopics() } }
  }

  /// Until no topic is refused, or stopping.
  private func probeTopics() {
    while let topic = nextProbe() {
      tellHeldLanes(now: .now())
      guard let entry = backlog.take(until: .now() + .seconds(1), where: { isProbe($0, of: topic) }) else { continue }
      do throws(BrokerError) {
        try probe(topic, with: entry)
      } catch {
        log.error("no producer to try topic '\(topic)' with: \(error.message)")
        backlog.settle { [.putBack([entry])] }
        state.withLock { $0.refusals.refused(topic, error, now: .now()) }
      }
    }
  }

  /// The next topic to try, when its time has come.
  private func nextProbe() -> String? {
    while true {
      let pause = state.read { $0.refusals.nextTry } ?? .now()
      let topic: String?? = state.wait(until: min(pause, .now() + .seconds(1))) { state in
        if state.isStopping || state.refusals.isEmpty {
          state.isProbing = false
          return .some(nil)
        }
        return state.refusals.due(now: .now()).map { .some($0) }
      }
      if let topic { return topic }
    }
  }

  private func isProbe(_ entry: Entry, of topic: String) -> Bool {
    let lane = entry.lane.index
    return lanes[lane].topic == topic
      && state.read { state in
        !state.tails.isDoubtful(lane) && !state.keepingLanes.contains(lane) && state.flows[lane].isIdle
          && state.window.hasRoom(for: entry.byteCount)
      }
  }

  private func probe(_ topic: String, with entry: Entry) throws(BrokerError) {
    let producer = try makeProducer(isProbe: true)
    send(entry, by: producer, isProbe: true)
    while state.read({ $0.inFlight.probeCount > 0 }) {
      // A producer that has failed, and one with an old login, will get no answer.
      if producer.fatalError != nil || state.read({ $0.isStopping || $0.newSecurity != nil }) { producer.purge() }
      producer.poll(milliseconds: 100)
    }
    let isAccepted = state.withLock { state -> Bool in
      guard let refusal = state.refusals.refusal(of: topic) else { return true }
      state.refusals.refused(topic, refusal.error, now: .now())
      return false
    }
    if isAccepted {
      log.info("topic '\(topic)' takes records again")
      backlog.wake()
    }
  }
}
