import Broker
import Posix
import Testing

@testable import Delivery

/// When a refused topic is tried.
@Suite struct TopicRefusalsTests {
  private let error = BrokerError(name: "TOPIC_AUTHORIZATION_FAILED", message: "no", disposition: .hold)

  private func at(_ second: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: second * 1_000_000_000) }

  @Test func isTriedAtGrowingIntervals() {
    var refusals = TopicRefusals()
    var tries: [Int64] = []
    refusals.refused("a", error, now: at(0))
    for second in 0...130 as ClosedRange<Int64> where refusals.due(now: at(second)) == "a" {
      tries.append(second)
      refusals.refused("a", error, now: at(second))
    }
    #expect(tries == [1, 3, 7, 15, 31, 61, 91, 121])
    #expect(refusals.refusal(of: "a")?.since == at(0))
  }

  /// A batch is refused as a whole, each of its records with a report.
  @Test func recordsThatWereSentTogetherCountOnce() {
    var refusals = TopicRefusals()
    for _ in 0..<50 { refusals.refused("a", error, now: at(0)) }
    #expect(refusals.nextTry == at(1))
  }

  @Test func topicsTakeTurns() {
    var refusals = TopicRefusals()
    refusals.refused("a", error, now: at(0))
    refusals.refused("b", error, now: at(1))
    #expect(refusals.due(now: at(5)) == "a")
    refusals.refused("a", error, now: at(5))
    #expect(refusals.due(now: at(5)) == "b")
    refusals.accepted("b")
    #expect(refusals.due(now: at(5)) == nil)
    #expect(refusals.refusal(of: "b") == nil)
    #expect(refusals.nextTry == at(7))
    refusals.accepted("a")
    #expect(refusals.isEmpty)
  }
}
