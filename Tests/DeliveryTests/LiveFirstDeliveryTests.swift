import Broker
import Frames
import Posix
import Testing

@testable import Backlog
@testable import Delivery

/// Live-first on the real forwarder: what had to wait goes out behind what is new, marked and in its own order.
@Suite struct LiveFirstDeliveryTests {
  /// How many frames have to wait: some seconds of the cap below, so that a test that is late still finds most of them.
  private static let backlogCount = 1_000

  private func sequences(_ records: [StoredRecord]) -> [UInt64] {
    var seen: Set<UInt64> = []
    return records.map(\.sequence).filter { seen.insert($0).inserted }
  }

  @Test(arguments: ["cameras", "cameras-backfill"])
  func newFramesDoNotWaitForTheBacklog(_ backfillTopic: String) throws {
    let cluster = try MockCluster(brokerCount: 1)
    for topic in Set(["cameras", backfillTopic]) { try cluster.createTopic(topic, partitionCount: 1) }
    let camera = try #require(CameraName("gate"))
    let backlog = Backlog(laneCount: 2, memoryBudget: 16 << 20, largestFrame: 60_000)
    backlog.pair(Lane(index: 0), with: Lane(index: 1))
    let forwarder = Forwarder(
      configuration: Forwarder.Configuration(
        brokers: cluster.bootstrapServers, clientID: "test", messageMaxBytes: 64 << 10, windowBytes: 1 << 20,
        catchUpRate: 100_000, resumeQuiet: .milliseconds(200),
        properties: [ClientProperty("reconnect.backoff.max.ms", "200")]),
      identity: GatewayIdentity(gateway: "g", ringID: 1, epoch: 1),
      lanes: [
        LaneDescription(camera: camera, topic: "cameras"),
        LaneDescription(camera: camera, topic: backfillTopic, isBackfill: true),
      ], backlog: backlog, log: Log { _ in })
    try forwarder.start()
    defer { _ = forwarder.drain(until: .now()) }
    // Whose memory is released was acknowledged: the order of that is what is asked about below.
    let released = Monitor<[Int]>([])
    var appendedCount = 0
    let append = {
      appendedCount += 1
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 600, alignment: 1)
      memory.initializeMemory(as: UInt8.self, repeating: 1)
      let payload = Payload(adopting: UnsafeRawBufferPointer(memory)) { [number = appendedCount] in
        memory.deallocate()
        released.withLock { $0.append(number) }
      }
      backlog.append(testFrame(payload), to: Lane(index: 0))
    }
    let deadline = MonotonicTime.now() + .seconds(60)
    append()
    try #require(backlog.waitUntilEmpty(until: deadline))

    cluster.setReachable(false)
    append()
    // The time that passes is the outage itself.
    Thread.sleep(MemoryQueue.liveAge + .milliseconds(100))
    for _ in 0..<Self.backlogCount { append() }
    #expect(backlog.waitingCount > Self.backlogCount - 50)
    cluster.setReachable(true)
    // Frame 2 was live; once it is through, new ones are.
    while forwarder.status.acknowledgedCount < 2, .now() < deadline { Thread.sleep(.milliseconds(5)) }
    for _ in 0..<20 { append() }
    try #require(backlog.waitUntilEmpty(until: deadline))
    #expect(forwarder.status.liveLatency.count >= 22)
    let afterLive = released.read { $0.reversed().prefix { $0 <= Self.backlogCount + 2 }.count }
    #expect(afterLive > 100, "the cap lets 100 kB/s of the backlog through, and live frames pass it")

    let all = try Set(["cameras", backfillTopic]).sorted().flatMap { topic in
      try storedRecords(brokers: cluster.bootstrapServers, topic: topic, partitionCount: 1).map { (topic, $0) }
    }
    let backfill = all.filter { $0.1.header("ce_backfill") == "1" }
    let live = all.filter { $0.1.header("ce_backfill") == nil }
    #expect(sequences(backfill.map(\.1)) == (3...UInt64(Self.backlogCount + 2)).map { $0 })
    let first = UInt64(Self.backlogCount) + 3
    let expected: [UInt64] = [1, 2] + Array(first...(first + 19))
    #expect(sequences(live.map(\.1)) == expected)
    #expect(backfill.allSatisfy { $0.0 == backfillTopic })
    #expect(live.allSatisfy { $0.0 == "cameras" })
  }
}
