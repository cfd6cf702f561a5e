import Broker
import Posix

// Topics that refuse every record until an operator changes their rights, as a value without a clock. Such a refusal ends a
// producer, with everything that other topics have in flight. So a refused topic leaves the shared producer and is tried by
// one of its own (ForwarderProbe.swift) at growing intervals. Invariant: a topic returns only when the broker acknowledged
// one of its records.

/// The topics that the shared producer does not send to.
struct TopicRefusals: Sendable {
  static let shortestPause = Duration.seconds(1)
  static let longestPause = Duration.seconds(30)

  /// Why a topic is left out.
  struct Refusal: Sendable {
    var error: BrokerError
    var since: MonotonicTime
    fileprivate(set) var nextTry: MonotonicTime
    fileprivate var pause: Duration
  }

  private var refusals: [String: Refusal] = [:]

  var isEmpty: Bool { refusals.isEmpty }

  /// nil for a topic that takes records as far as is known.
  func refusal(of topic: String) -> Refusal? { refusals[topic] }

  /// A record of the topic was refused. Those that were sent together with it change nothing.
  mutating func refused(_ topic: String, _ error: BrokerError, now: MonotonicTime) {
    guard var refusal = refusals[topic] else {
      let pause = TopicRefusals.shortestPause
      refusals[topic] = Refusal(error: error, since: now, nextTry: now + pause, pause: pause)
      return
    }
    guard now >= refusal.nextTry else { return }
    refusal.pause = min(refusal.pause * 2, TopicRefusals.longestPause)
    (refusal.error, refusal.nextTry) = (error, now + refusal.pause)
    refusals[topic] = refusal
  }

  /// The broker acknowledged a record that was sent to try the topic.
  mutating func accepted(_ topic: String) { refusals[topic] = nil }

  /// The topic that is to be tried now, the one that waits longest; nil while none is.
  func due(now: MonotonicTime) -> String? {
    refusals.filter { now >= $0.value.nextTry }.min { $0.value.nextTry < $1.value.nextTry }?.key
  }

  /// When the next topic is to be tried; nil when all take records.
  var nextTry: MonotonicTime? { refusals.values.map(\.nextTry).min() }
}

extension BrokerError {
  /// Whether a topic, and not a record or the cluster, is what refuses: rights, a broker's policy, a name that no topic may
  /// have. (A missing topic is found out before anything is sent, and ends no producer.)
  var isRefusalOfTopic: Bool {
    ["TOPIC_AUTHORIZATION_FAILED", "TOPIC_EXCEPTION", "POLICY_VIOLATION"].contains(name)
  }
}
