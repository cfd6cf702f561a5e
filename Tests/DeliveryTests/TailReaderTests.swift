import Broker
import Frames
import Posix
import Records
import Testing

@testable import Backlog
@testable import Delivery

/// Reading the tails of real partitions (of librdkafka's own cluster).
@Suite struct TailReaderTests {
  private let ringID: UInt64 = 0xab

  private func reader(_ cluster: MockCluster, epoch: UInt64 = 8, quiet: Duration = .milliseconds(300)) -> TailReader {
    var limits = TailReading.Limits()
    limits.quiet = quiet
    return TailReader(
      brokers: cluster.bootstrapServers, clientID: "tail", security: Security(), properties: [],
      identity: GatewayIdentity(gateway: "dock-7", ringID: ringID, epoch: epoch), limits: limits)
  }

  /// Sends frames of one epoch, and returns when they are there.
  private func send(_ cluster: MockCluster, key: String, sequences: ClosedRange<Int>, ring: String) throws {
    let count = Monitor(0)
    let producer = try Producer(
      properties: [
        ClientProperty("bootstrap.servers", cluster.bootstrapServers),
        ClientProperty("partitioner", "murmur2_random"),
      ], onReport: { if $0.error == nil { count.withLock { $0 += 1 } } }, onEvent: { _ in })
    let bytes = [UInt8](repeating: 7, count: 100)
    for sequence in sequences {
      try bytes.withUnsafeBytes { bytes in
        try producer.send(
          OutgoingRecord(topic: "t", key: key, headers: [("ce_id", "\(ring)-7-\(sequence)")], timestamp: 0),
          payload: bytes, id: UInt(sequence))
      }
    }
    let deadline = MonotonicTime.now() + .seconds(20)
    while count.read({ $0 }) < sequences.count, .now() < deadline { producer.poll(milliseconds: 20) }
    try #require(count.read { $0 } == sequences.count)
  }

  private func frames(_ sequences: ClosedRange<Int>) -> [FrameID: [Int64]] {
    Dictionary(
      uniqueKeysWithValues: sequences.map { number in
        (FrameID(ringID: hexadecimal(ringID), epoch: 7, sequence: UInt64(number)), [Int64(number - 1)])
      })
  }

  @Test func findsWhatLiesBehindAPlaceAndWhere() throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 6)
    let (gate, yard) = (partition(ofKey: "dock-7/gate", among: 6), partition(ofKey: "dock-7/yard", among: 6))
    try #require(gate != yard)
    try send(cluster, key: "dock-7/gate", sequences: 1...20, ring: hexadecimal(ringID))
    try send(cluster, key: "dock-7/yard", sequences: 1...5, ring: hexadecimal(ringID))
    try send(cluster, key: "dock-7/gate", sequences: 21...25, ring: hexadecimal(ringID + 1))
    var found: [Int32: [String: [FrameID: [Int64]]]] = [:]
    try reader(cluster).read(
      [
        TopicPartition(topic: "t", partition: gate): .offset(12),
        TopicPartition(topic: "t", partition: yard): .offset(0),
      ],
      isStopping: { false }
    ) { place, result in
      guard case .found(let frames, _, .complete) = result else { return }
      found[place.partition] = frames.mapValues { $0.mapValues { $0.map(\.offset) } }
    }
    #expect(found[gate] == ["dock-7/gate": frames(13...20)])
    #expect(found[yard] == ["dock-7/yard": frames(1...5)])
  }

  @Test func aTopicMadeAnewIsReadFromItsBeginning() throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 1)
    try send(cluster, key: "dock-7/gate", sequences: 1...3, ring: hexadecimal(ringID))
    var count = 0
    try reader(cluster).read([TopicPartition(topic: "t", partition: 0): .offset(5_000)], isStopping: { false }) {
      _, result in
      if case .found(let frames, _, _) = result { count = frames["dock-7/gate"]?.count ?? 0 }
    }
    #expect(count == 3)
  }

  /// What another copy of the ring sent last is found among thousands of others' records, without reading them.
  @Test func onlyTheNewestRecordsAreReadForTheIDsOfThisRun() throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 1)
    try send(cluster, key: "dock-7/gate", sequences: 1...700, ring: hexadecimal(ringID))
    var results: [UInt64: (count: Int?, repeated: Set<String>)] = [:]
    for epoch in [7, 8] as [UInt64] {
      try reader(cluster, epoch: epoch).read(
        [TopicPartition(topic: "t", partition: 0): .newest], isStopping: { false }
      ) { _, result in
        guard case .found(let frames, let repeated, .complete) = result else { return }
        results[epoch] = (frames["dock-7/gate"]?.count, repeated)
      }
    }
    #expect(results[7]?.count == 500 && results[7]?.repeated == ["dock-7/gate"])
    #expect(results[8]?.count == 500 && results[8]?.repeated == [])
  }

  @Test func aClusterThatIsAwayIsWaitedFor() throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 1)
    try send(cluster, key: "dock-7/gate", sequences: 1...3, ring: hexadecimal(ringID))
    cluster.setReachable(false)
    let started = MonotonicTime.now()
    var count = 0
    var isBack = false
    try reader(cluster).read(
      [TopicPartition(topic: "t", partition: 0): .offset(1)],
      isStopping: {
        if !isBack, .now() - started > .seconds(2) {
          cluster.setReachable(true)
          isBack = true
        }
        return false
      }
    ) { _, result in
      #expect(isBack)
      if case .found(let frames, _, .complete) = result { count = frames["dock-7/gate"]?.count ?? 0 }
    }
    #expect(count == 2)
  }

  @Test func oneThatMustNotBeReadIsSaidSo() throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 1)
    // TOPIC_AUTHORIZATION_FAILED
    cluster.fail(.listOffsets, count: 5, code: 29)
    var refusal: BrokerError?
    try reader(cluster).read([TopicPartition(topic: "t", partition: 0): .offset(0)], isStopping: { false }) {
      _, result in
      if case .refused(let error) = result { refusal = error }
    }
    #expect(refusal?.name == "TOPIC_AUTHORIZATION_FAILED")
  }
}
