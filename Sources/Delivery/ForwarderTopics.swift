import Backlog
import Broker
import Posix

// Looks at the topics now and then, on a thread of its own because the questions block. Nothing of a lane leaves before its
// place is known, so a question is waited for as long as the link takes, and it is said which one is.

extension Forwarder {
  /// How often the topics are looked at, and how soon again when the cluster did not answer.
  private static let topicInterval = Duration.seconds(30)
  private static let topicRetry = Duration.seconds(2)
  /// How long an answer is waited for at first; as long as a request takes at most when none came.
  private static let topicTimeout = Duration.seconds(5)

  /// The same while lanes wait for it.
  private static let placeRetry = Duration.milliseconds(100)

  /// Until stopping. Nobody waits for this thread: it may be in the middle of a question.
  func watchTopics() {
    var timeout = AnswerTimeout(from: Forwarder.topicTimeout, to: configuration.requestTimeout)
    var renewals: Int?
    while currentProducer != nil {
      let present = state.read { $0.renewalCount }
      if present != renewals { renewals = makeInspector() ? present : nil }
      guard let inspector = inspector.read({ $0 }) else {
        wait(Forwarder.topicRetry)
        continue
      }
      let lanes = self.lanes
      let isAnswered = Set(lanes.map(\.topic)).sorted().reduce(true) { inspect($1, inspector, &timeout) && $0 }
      let isAwaited = configuration.resumeQuiet != nil && !backlog.lanesWithoutPosition.isEmpty
      let pause = isAwaited ? Forwarder.placeRetry : isAnswered ? Forwarder.topicInterval : Forwarder.topicRetry
      // A lane that is added waits for its place.
      _ = state.wait(until: .now() + pause) { $0.isStopping || $0.lanes.count > lanes.count ? true : nil }
    }
  }

  /// A client that asks, with the present certificates and login; false when librdkafka does not accept these.
  private func makeInspector() -> Bool {
    do throws(BrokerError) {
      let new = try ClusterInspector(
        brokers: configuration.brokers, clientID: configuration.clientID, security: state.read { $0.security },
        properties: configuration.properties,
        onEvent: { [weak self] in self?.handle($0, fromProducer: nil) })
      inspector.withLock { $0 = new }
      return true
    } catch {
      log.error("the topics cannot be asked for: \(error.message)")
      return false
    }
  }

  /// Asks `question` and takes note of whether it is answered: what takes long is said by the thread `forward`.
  private func ask<Answer>(
    _ what: @autoclosure () -> String, _ timeout: inout AnswerTimeout, _ question: () throws(BrokerError) -> Answer
  ) throws(BrokerError) -> Answer {
    let what = what()
    unheard { $0.question.asked(what, now: .now()) }
    do throws(BrokerError) {
      let answer = try question()
      timeout.answered()
      unheard { $0.question.answered(what) }
      return answer
    } catch {
      if error.disposition == .resend {
        timeout.missed()
      } else {
        timeout.answered()
        unheard { $0.question.answered(what) }
      }
      throw error
    }
  }

  /// false when the topic does not exist or the cluster does not answer.
  private func inspect(_ topic: String, _ inspector: ClusterInspector, _ timeout: inout AnswerTimeout) -> Bool {
    let count: Int?
    do throws(BrokerError) {
      let milliseconds = timeout.milliseconds
      count = try ask("the partitions of topic '\(topic)'", &timeout) { () throws(BrokerError) in
        try inspector.partitionCount(ofTopic: topic, milliseconds: milliseconds)
      }
    } catch {
      return false
    }
    if configuration.resumeQuiet != nil { place(topic, partitionCount: count, inspector, &timeout) }
    // The topic's own limit is asked for when the topic appears.
    let isNew = state.read { $0.topics.partitionCount(of: topic) == nil } && count != nil
    if isNew, let limit = inspector.largestRecord(ofTopic: topic, milliseconds: timeout.milliseconds) {
      state.withLock { $0.lower(recordLimit: limit) }
      if limit < configuration.messageMaxBytes {
        log.info("topic '\(topic)' takes records of up to \(limit) bytes; larger frames are sent in parts")
      }
    }
    switch state.withLock({ $0.topics.observe(topic, partitionCount: count) }) {
    case .info(let text)?: log.info(text)
    case .warning(let text)?: log.warning(text)
    case nil: break
    }
    return count != nil
  }

  /// Lanes of which nothing was ever sent begin at the end of their partition: behind it is looked for their records after
  /// a crash.
  private func place(
    _ topic: String, partitionCount count: Int?, _ inspector: ClusterInspector, _ timeout: inout AnswerTimeout
  ) {
    for lane in backlog.lanesWithoutPosition where lanes[lane.index].topic == topic {
      // Whatever will lie in a topic that is still to be created comes later.
      guard let count, count > 0 else {
        backlog.begin(lane, at: RecordPosition(partition: -1, offset: 0))
        continue
      }
      let place = TopicPartition(topic: topic, partition: partition(ofKey: key(of: lane.index), among: count))
      do throws(BrokerError) {
        let milliseconds = timeout.milliseconds
        let end = try ask("the end of partition \(place)", &timeout) { () throws(BrokerError) in
          try inspector.offsets(of: place, milliseconds: milliseconds).upperBound
        }
        backlog.begin(lane, at: RecordPosition(partition: place.partition, offset: end))
      } catch {
        guard error.disposition == .hold else { continue }
        log.warning(
          "the end of partition \(place) cannot be asked for (\(error.name): \(error.message)): after a crash frames of "
            + "\(lanes[lane.index].camera) may be sent twice")
        backlog.goOn(lane)
      }
    }
  }
}
