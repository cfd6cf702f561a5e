import Backlog
import Broker
import Posix

// One producer after another: after a fatal error, and with new certificates. What the old one has under way is waited
// for first, so that nothing is sent twice.

extension Forwarder {
  /// A new producer has a new id, so the broker no longer removes duplicates of what the old one sent: all its reports
  /// are waited for first, and only what is not acknowledged is sent again, in order. One that fails again and again
  /// (missing rights, say) is replaced at growing intervals.
  func replace(_ old: Producer, after fatal: BrokerError) {
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
    drain(old)
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

  /// Every report of a producer that is to go: answers are waited for, then the rest is given up.
  private func drain(_ old: Producer) {
    let drained = MonotonicTime.now() + Forwarder.drainTimeout
    while !isDrained, MonotonicTime.now() < drained { old.poll(milliseconds: 50) }
    old.purge()
    while !isDrained { old.poll(milliseconds: 50) }
  }

  /// librdkafka reads certificates when a client is made, so a new one is made. When that fails the old one goes on.
  func renew(_ old: Producer, _ security: Security) {
    let before = state.withLock { state -> (security: Security, producer: Int) in
      defer { (state.security, state.newSecurity) = (security, nil) }
      return (state.security, state.sharedProducer)
    }
    do throws(BrokerError) {
      let new = try makeProducer()
      drain(old)
      state.withLock { state in
        state.fatal = nil
        state.renewalCount += 1
      }
      producer.withLock { $0 = new }
      log.info("a new producer is in use")
    } catch {
      state.withLock { state in
        (state.security, state.sharedProducer) = before
      }
      log.error("the new certificates or login are of no use: \(error.message); the old ones stay")
    }
  }

  /// How long answers to what is in flight are waited for when the producer has failed; without one they would be sent
  /// twice.
  private static let drainTimeout = Duration.seconds(10)
  /// The longest pause between a producer that failed and the next.
  private static let longestPause = Duration.seconds(30)

  private var isDrained: Bool { state.read { $0.inFlight.isSharedEmpty || $0.isStopping } }

  /// A producer for all topics, or one that only tries a topic.
  func makeProducer(isProbe: Bool = false) throws(BrokerError) -> Producer {
    let number = state.withLock { state -> Int in
      state.producerCount += 1
      if !isProbe { state.sharedProducer = state.producerCount }
      return state.producerCount
    }
    let (security, recordLimit) = state.read { ($0.security, $0.recordLimit) }
    return try Producer(
      security: security, properties: ProducerProperties.all(for: configuration, recordLimit: recordLimit),
      onReport: { [weak self] in self?.handle($0) },
      onEvent: { [weak self] in self?.handle($0, fromProducer: number) })
  }
}
