import Broker
import Posix
import Testing

@testable import Backlog
@testable import Delivery

/// A topic that the gateway may not write to, beside topics that it may. Each is led by a broker of its own, so that the
/// errors put into the mock cluster are those of one topic.
@Suite struct RefusedTopicTests {
  private static let topicAuthorizationFailed: Int32 = 29

  private func bench() throws -> ForwarderBench {
    let bench = try ForwarderBench(laneCount: 4, topics: ["open", "closed", "open", "closed"])
    for partition in 0..<ForwarderBench.partitionCount {
      bench.cluster.moveLeader(ofTopic: "open", partition: partition, to: 1)
      bench.cluster.moveLeader(ofTopic: "closed", partition: partition, to: 2)
    }
    bench.append(5)
    #expect(bench.settles())
    return bench
  }

  /// With the gapless guarantee the refusal ends the producer, once: after that the topic is tried by one of its own.
  @Test func costsTheOthersOneProducer() throws {
    let bench = try bench()
    bench.cluster.fail(.produce, count: 3, code: RefusedTopicTests.topicAuthorizationFailed, broker: 2)
    bench.append(20)
    #expect(bench.line(with: "topic 'closed': ") != nil)
    #expect(bench.settles())
    #expect(bench.line(with: "topic 'closed' takes records again") != nil)
    let failures = bench.log.filter { $0.contains("the producer failed") }
    #expect(failures.count == 1, "\(bench.log)")
    try bench.expectEverything()
    #expect(bench.backlog.drops == [[:], [:], [:], [:]])
    #expect(bench.forwarder.status.held.isEmpty)
    #expect(bench.drain(within: .seconds(1)) == 0)
    bench.expectReleased()
  }

  /// While the topic is refused the others are sent to.
  @Test func theOthersFlowMeanwhile() throws {
    let bench = try bench()
    bench.cluster.fail(.produce, count: 1_000, code: RefusedTopicTests.topicAuthorizationFailed, broker: 2)
    bench.append(20)
    #expect(bench.line(with: "topic 'closed': ") != nil)
    #expect(bench.waits(for: { $0.acknowledgedCount == 20 + 40 }))
    #expect(bench.waits(for: { $0.held.count == 2 }))
    #expect(bench.forwarder.status.held.allSatisfy { $0.lane.topic == "closed" })
    bench.append(20)
    #expect(bench.waits(for: { $0.acknowledgedCount == 20 + 80 }))
    #expect(bench.log.filter { $0.contains("the producer failed") }.count == 1, "\(bench.log)")
    #expect(bench.drain(within: .zero) == 80)
    bench.expectReleased()
  }
}
