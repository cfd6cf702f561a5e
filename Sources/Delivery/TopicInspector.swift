import Broker
import Posix

// Looks at the topics now and then, on a thread of its own because the questions block.

extension Forwarder {
  /// How often the topics are looked at, and how soon again when the cluster did not answer.
  private static let topicInterval = Duration.seconds(30)
  private static let topicRetry = Duration.seconds(2)
  /// How long an answer is waited for, milliseconds.
  private static let topicTimeout: Int32 = 5_000

  /// Until stopping. Nobody waits for this thread: it may be in the middle of a question.
  func watchTopics() {
    let topics = Set(lanes.map(\.topic)).sorted()
    while let producer = currentProducer {
      let isAnswered = topics.allSatisfy { inspect($0, producer) }
      wait(isAnswered ? Forwarder.topicInterval : Forwarder.topicRetry)
    }
  }

  /// false when the cluster does not answer.
  private func inspect(_ topic: String, _ producer: Producer) -> Bool {
    let count: Int?
    do throws(BrokerError) {
      count = try producer.partitionCount(ofTopic: topic, milliseconds: Forwarder.topicTimeout)
    } catch {
      return false
    }
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
}
