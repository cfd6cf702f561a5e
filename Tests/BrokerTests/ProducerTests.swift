import Posix
import Testing

@testable import Broker

/// The producer on librdkafka's mock cluster.
@Suite struct ProducerTests {
  /// A producer whose reports are collected; the sent bytes stay where they are until its end.
  private final class Station {
    let reports = Monitor<[DeliveryReport]>([])
    let errors = Monitor<[BrokerError]>([])
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 << 20, alignment: 1)
    private(set) var producer: Producer?

    init(brokers: String, properties: [ClientProperty] = []) throws {
      memory.initializeMemory(as: UInt8.self, repeating: 7)
      producer = try Producer(
        properties: [
          ClientProperty("bootstrap.servers", brokers), ClientProperty("message.timeout.ms", "0"),
          ClientProperty("enable.idempotence", "true"),
        ] + properties,
        onReport: { [reports] report in reports.withLock { $0.append(report) } },
        onEvent: { [errors] event in
          if case .error(let error) = event { errors.withLock { $0.append(error) } }
        })
    }

    deinit {
      producer = nil
      memory.deallocate()
    }

    func send(_ id: UInt, topic: String = "t", byteCount: Int = 10) throws(BrokerError) {
      let record = OutgoingRecord(topic: topic, key: "k", headers: [("a", "b")], timestamp: 0)
      try producer?.send(record, payload: UnsafeRawBufferPointer(rebasing: memory[..<byteCount]), id: id)
    }

    func poll(until isEnough: () -> Bool) {
      let deadline = MonotonicTime.now() + .seconds(60)
      while !isEnough(), MonotonicTime.now() < deadline { producer?.poll(milliseconds: 50) }
    }

    func destroy() { producer = nil }
  }

  @Test func everyRecordIsReportedOnceWithItsOffset() throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 1)
    let station = try Station(brokers: cluster.bootstrapServers)
    for id in 1...100 as ClosedRange<UInt> { try station.send(id) }
    station.poll { station.reports.read { $0.count } == 100 }
    let reports = station.reports.read { $0 }
    #expect(reports.map(\.id) == Array(1...100))
    #expect(reports.map(\.offset) == Array(0...99))
    #expect(reports.allSatisfy { $0.error == nil && $0.partition == 0 })
    #expect(station.producer?.pendingCount == 0)
  }

  /// What was not taken is still the caller's and is not reported again.
  @Test func aRecordAboveTheLimitIsNotTaken() throws {
    let cluster = try MockCluster(brokerCount: 1)
    let station = try Station(
      brokers: cluster.bootstrapServers, properties: [ClientProperty("message.max.bytes", "1000000")])
    #expect {
      try station.send(1, byteCount: 1_000_001)
    } throws: {
      ($0 as? BrokerError)?.name == "MSG_SIZE_TOO_LARGE" && ($0 as? BrokerError)?.disposition == .poison
    }
    #expect(station.producer?.pendingCount == 0)
    station.destroy()
    #expect(station.reports.read { $0.isEmpty })
  }

  @Test func purgedRecordsAreReported() throws {
    let cluster = try MockCluster(brokerCount: 1)
    cluster.setReachable(false)
    let station = try Station(brokers: cluster.bootstrapServers)
    for id in 1...10 as ClosedRange<UInt> { try station.send(id) }
    station.producer?.purge()
    station.poll { station.reports.read { $0.count } == 10 }
    #expect(station.reports.read { $0.map(\.id) } == Array(1...10))
    #expect(station.reports.read { $0.allSatisfy { $0.error?.disposition == .recreate } })
  }

  /// Whoever waits for reports gets them, also when the producer goes.
  @Test(arguments: [true, false])
  func destroyingReportsTheRest(isReachable: Bool) throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 1)
    let station = try Station(brokers: cluster.bootstrapServers)
    try station.send(1_000)
    station.poll { station.reports.read { $0.count } == 1 }
    cluster.setReachable(isReachable)
    for id in 1...100 as ClosedRange<UInt> { try station.send(id, byteCount: 10_000) }
    station.destroy()
    #expect(station.reports.read { $0.map(\.id).sorted() } == Array(1...100) + [1_000])
  }

  @Test func aHiddenTopicIsNamedUnknown() throws {
    let cluster = try MockCluster(brokerCount: 1)
    cluster.hideTopic("t", true)
    let station = try Station(
      brokers: cluster.bootstrapServers, properties: [ClientProperty("topic.metadata.propagation.max.ms", "100")])
    try station.send(1)
    station.poll { station.reports.read { $0.count } == 1 }
    let error = try #require(station.reports.read { $0.first?.error })
    #expect(error.disposition == .hold)
    #expect(error.name.contains("UNKNOWN_TOPIC"), "\(error)")
  }

  /// That to ask creates no topic a real broker shows (LargeClusterTests): the mock cluster of some versions of librdkafka
  /// speaks a protocol in which every question does.
  @Test func topicsAreCountedByName() throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 6)
    let inspector = try ClusterInspector(
      brokers: cluster.bootstrapServers, clientID: "test", properties: [ClientProperty("linger.ms", "5")],
      onEvent: { _ in })
    #expect(try inspector.partitionCount(ofTopic: "t", milliseconds: 10_000) == 6)
    #expect(try inspector.offsets(of: TopicPartition(topic: "t", partition: 0), milliseconds: 10_000) == 0..<0)
    #expect(inspector.largestRecord(ofTopic: "t", milliseconds: 1_000) == nil, "the mock does not tell")
    cluster.setReachable(false)
    #expect(throws: BrokerError.self) { try inspector.partitionCount(ofTopic: "t", milliseconds: 200) }
  }

  @Test func aBrokerThatDoesNotResolveIsNamed() throws {
    let station = try Station(brokers: "broker.invalid:9092")
    station.poll { station.errors.read { $0.contains { $0.name == "_ALL_BROKERS_DOWN" } } }
    let resolve = try #require(station.errors.read { $0.first { $0.name == "_RESOLVE" } })
    #expect(resolve.message.contains("broker.invalid:9092"))
    #expect(resolve.isUnreachable)
  }

  /// The error says which fatal one it was, not only that there was one.
  @Test func aFatalErrorKeepsItsName() throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 1)
    let station = try Station(brokers: cluster.bootstrapServers)
    try station.send(1)
    station.poll { station.reports.read { $0.count } == 1 }
    cluster.fail(.produce, code: 45)  // OUT_OF_ORDER_SEQUENCE_NUMBER
    try station.send(2)
    station.poll { station.errors.read { $0.contains { $0.disposition == .recreate } } }
    #expect(station.errors.read { $0.last?.name } == "OUT_OF_ORDER_SEQUENCE_NUMBER")
    station.poll { station.reports.read { $0.count } == 2 }
    #expect(throws: BrokerError.self) { try station.send(3) }
  }
}
