import Backlog
import Broker
import Posix

// Looks at the topics now and then, on a thread of its own because the questions block.

extension Forwarder {
  /// How often the topics are looked at, and how soon again when the cluster did not answer.
  private static let topicInterval = Duration.seconds(30)
  private static let topicRetry = Duration.seconds(2)
  /// How long an answer is waited for, milliseconds.
  private static let topicTimeout: Int32 = 5_000

  /// The same while lanes wait for it.
  private static let placeRetry = Duration.milliseconds(100)

  /// Until stopping. Nobody waits for this thread: it may be in the middle of a question.
  func watchTopics() {
    let topics = Set(lanes.map(\.topic)).sorted()
    while let producer = currentProducer {
      let isAnswered = topics.reduce(true) { inspect($1, producer) && $0 }
      let isAwaited = configuration.resumeQuiet != nil && !backlog.lanesWithoutPosition.isEmpty
      wait(isAwaited ? Forwarder.placeRetry : isAnswered ? Forwarder.topicInterval : Forwarder.topicRetry)
    }
  }

  /// false when the topic does not exist or the cluster does not answer.
  private func inspect(_ topic: String, _ producer: Producer) -> Bool {
    let count: Int?
    do throws(BrokerError) {
      count = try producer.partitionCount(ofTopic: topic, milliseconds: Forwarder.topicTimeout)
    } catch {
      return false
    }
    if configuration.resumeQuiet != nil { place(topic, partitionCount: count, producer) }
    // The topic's own limit is asked for when the topic appears.
    let isNew = state.read { $0.topics.partitionCount(of: topic) == nil } && count != nil
    if isNew, let limit = producer.largestRecord(ofTopic: topic, milliseconds: Forwarder.topicTimeout) {
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
  private func place(_ topic: String, partitionCount count: Int?, _ producer: Producer) {
    for lane in backlog.lanesWithoutPosition where lanes[lane.index].topic == topic {
      // Whatever will lie in a topic that is still to be created comes later.
      guard let count, count > 0 else {
        backlog.begin(lane, at: RecordPosition(partition: -1, offset: 0))
        continue
      }
      let place = TopicPartition(topic: topic, partition: partition(ofKey: key(of: lane.index), among: count))
      do throws(BrokerError) {
        let end = try producer.offsets(of: place, milliseconds: Forwarder.topicTimeout).upperBound
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
