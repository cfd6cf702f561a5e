import Backlog
import Broker
import Delivery
import Foundation
import Frames
import Posix
import Testing

extension IntegrationTests.KafkaSide {
  /// A cluster with hundreds of topics, at the other end of a slow link: what is asked is answered by name.
  @Suite struct LargeClusterTests {
    /// The list of all topics takes this link longer than anybody waits for it.
    @Test func aSlowLinkToALargeClusterIsUsable() throws {
      let topics = (1...300).flatMap { ["--topic", "other-\($0):12"] }
      let broker = try Server("broker", ["--topic", "cameras:4"] + topics)
      let proxy = try Testbed.kafkaProxy(to: broker)
      try proxy.command("rate 8000")
      let backlog = Backlog(laneCount: 1, memoryBudget: 1 << 20, largestFrame: 100_000)
      let lines = Monitor<[String]>([])
      let forwarder = Forwarder(
        configuration: Forwarder.Configuration(
          brokers: proxy.address, clientID: "slow", messageMaxBytes: 1_000_000, windowBytes: 4 << 20,
          resumeQuiet: .milliseconds(300)),
        identity: .ephemeral(gateway: "g", nanosecondsSince1970: 0),
        lanes: [LaneDescription(camera: try #require(CameraName("far")), topic: "cameras")], backlog: backlog,
        log: Log { line in lines.withLock { $0.append(line) } })
      try forwarder.start()
      let frame = Frame(
        codec: .mjpeg, payload: Payload([1, 2, 3]), isKeyframe: true,
        captureTime: WallClock.nanosecondsSince1970(), clock: .gateway, pts: 0, width: 64, height: 48)
      backlog.append(frame, to: Lane(index: 0))
      #expect(backlog.waitUntilEmpty(until: .now() + .hangLimit), "\(lines.read { $0 })")
      #expect(forwarder.drain(until: .now()) == 0)
    }

    /// The broker creates a topic that is merely asked for, unless it is told not to.
    @Test func aTopicThatIsAskedForStaysMissing() throws {
      let broker = try Testbed.broker()
      let inspector = try ClusterInspector(brokers: broker.address, clientID: "test", onEvent: { _ in })
      #expect(try inspector.partitionCount(ofTopic: "cameras", milliseconds: 30_000) == 4)
      for _ in 0..<3 { #expect(try inspector.partitionCount(ofTopic: "missing", milliseconds: 30_000) == nil) }
      #expect(inspector.largestRecord(ofTopic: "missing", milliseconds: 5_000) == nil)
      #expect(try inspector.partitionCount(ofTopic: "missing", milliseconds: 30_000) == nil)
    }
  }
}
