import Broker
import Frames
import Posix
import Records
import Testing

@testable import Backlog
@testable import Delivery

/// The forwarder on librdkafka's mock cluster: real threads, real sockets, injected errors. Codes are those of the Kafka
/// protocol guide, "Error Codes".
@Suite struct ForwarderTests {
  @Test func everythingArrivesInOrder() throws {
    let bench = try ForwarderBench(laneCount: 5)
    bench.append(300)
    #expect(bench.settles())
    #expect(bench.forwarder.status.acknowledgedCount == 1_500)
    #expect(bench.forwarder.status.acknowledgedBytes == 900_000)
    #expect(bench.forwarder.status.inFlightCount == 0)
    #expect(bench.drain(within: .seconds(1)) == 0)
    try bench.expectEverything()
    bench.expectReleased()
  }

  @Test func headersAndTimeArrive() throws {
    let bench = try ForwarderBench()
    bench.append(1)
    #expect(bench.settles())
    let record = try #require(try bench.stored().first)
    #expect(record.timestamp == 1_795_460_400_000)
    #expect(record.header("ce_id") == "0000000000000001-1-1")
    #expect(record.header("ce_source") == "/g/cam-0")
    #expect(record.header("content-type") == "image/jpeg")
  }

  /// Frames larger than a record, through a window smaller than a part.
  @Test func largeFramesPassInParts() throws {
    let bench = try ForwarderBench(laneCount: 2, windowBytes: 1_000)
    bench.append(3, byteCount: 200_000)
    #expect(bench.settles())
    #expect(bench.forwarder.status.acknowledgedCount == 6)
    #expect(bench.forwarder.status.inFlightBytes == 0)
    try bench.expectEverything(byteCount: 200_000)
    #expect(try bench.stored().count == 6 * 4)
    #expect(bench.drain(within: .seconds(1)) == 0)
    bench.expectReleased()
  }

  /// The producer ends in the middle of frames that are sent in parts: they are sent again from their first part.
  @Test func aFatalErrorBetweenPartsLosesNothing() throws {
    let bench = try ForwarderBench(laneCount: 2)
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.fail(.produce, code: 45)
    bench.append(5, byteCount: 300_000)
    #expect(bench.line(with: "the producer failed (OUT_OF_ORDER_SEQUENCE_NUMBER") != nil)
    #expect(bench.settles())
    bench.drain(within: .seconds(1))
    bench.expectReleased()
    let sums = try bench.stored().filter { $0.header("ce_chunk") != nil }.map {
      ($0.header("ce_checksum"), $0.sequence)
    }
    #expect(Set(sums.map(\.1)) == Set(2...6))
  }

  @Test func aStopBetweenPartsKeepsTheFrame() throws {
    let bench = try ForwarderBench(windowBytes: 1_000)
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.setReachable(false)
    bench.append(2, byteCount: 200_000)
    #expect(bench.drain(within: .milliseconds(300)) == 2)
    bench.expectReleased()
  }

  /// The largest frame that is one record, through a window smaller than itself.
  @Test func theLargestFramePasses() throws {
    let bench = try ForwarderBench(laneCount: 2, windowBytes: 1_000)
    let largest = (64 << 10) - FrameHeaders.overhead
    bench.append(3, byteCount: largest)
    #expect(bench.settles())
    try bench.expectEverything(byteCount: largest)
  }

  @Test func kafkaThatIsAwayAtFirstIsAnOutage() throws {
    let bench = try ForwarderBench(laneCount: 2)
    bench.cluster.setReachable(false)
    bench.append(50)
    #expect(bench.line(with: "no connection to Kafka") != nil)
    #expect(bench.forwarder.status.trouble != nil)
    bench.cluster.setReachable(true)
    #expect(bench.settles())
    #expect(bench.line(with: "Kafka takes records again") != nil)
    #expect(bench.forwarder.status.trouble == nil)
    try bench.expectEverything()
  }

  @Test func anOutageLosesNothing() throws {
    let bench = try ForwarderBench(laneCount: 3)
    for _ in 0..<2 {
      bench.append(100)
      #expect(bench.settles())
      bench.cluster.setReachable(false)
      bench.append(100)
      #expect(bench.line(with: "no connection to Kafka") != nil)
      bench.cluster.setReachable(true)
    }
    #expect(bench.settles())
    #expect(bench.drain(within: .seconds(1)) == 0)
    try bench.expectEverything()
    bench.expectReleased()
  }

  /// What waits goes out at the capped rate, in turns, and everything arrives.
  @Test func theRateCapIsHeldAfterAnOutage() throws {
    let bench = try ForwarderBench(laneCount: 2, catchUpRate: 500_000)
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.fail(.produce, count: 2, code: 29)  // both lanes are held for a second: a backlog
    bench.append(1, byteCount: 600)
    #expect(bench.line(with: "are held") != nil)
    let started = MonotonicTime.now()
    bench.append(50, byteCount: 10_000)
    #expect(bench.settles())
    // 100 frames of 10 kB and their headers at 500 kB/s.
    #expect((MonotonicTime.now() - started).inSeconds > 100 * 10_400 / 500_000 * 0.95)
    #expect(bench.backlog.drops == [[:], [:]])
  }

  /// However long a backlog takes, the thread that sends it comes by everything else in between: its heartbeat, the
  /// window's clock, new certificates.
  @Test func newCertificatesDoNotWaitForTheEndOfABacklog() throws {
    let bench = try ForwarderBench(laneCount: 2, catchUpRate: 500)
    bench.append(1)
    #expect(bench.settles())
    // More than an hour of it.
    bench.append(100, byteCount: 10_000)
    bench.forwarder.renew(Security())
    #expect(bench.line(with: "a new producer is in use") != nil)
    #expect(bench.backlog.waitingCount > 0)
  }

  /// Kafka goes away between the parts of a frame, and only new certificates bring it back.
  @Test func newCertificatesDoNotWaitForTheRestOfAFrame() throws {
    let bench = try ForwarderBench(windowBytes: 64 << 10)
    bench.append(1, byteCount: 300_000)
    #expect(bench.settles())
    bench.cluster.setReachable(false)
    bench.append(1, byteCount: 300_000)
    #expect(bench.waitUntilInFlight(1))
    bench.forwarder.renew(Security())
    #expect(bench.line(with: "a new producer is in use") != nil)
    bench.cluster.setReachable(true)
    #expect(bench.settles())
    #expect(bench.drain(within: .seconds(1)) == 0)
    try bench.expectEverything(byteCount: 300_000)
    bench.expectReleased()
  }

  @Test func leadersThatMoveLoseNothing() throws {
    let bench = try ForwarderBench(laneCount: 3)
    for round in 0..<6 as Range<Int32> {
      bench.append(100)
      for partition in 0..<ForwarderBench.partitionCount {
        bench.cluster.moveLeader(ofTopic: "cameras", partition: partition, to: (round + partition) % 3 + 1)
      }
    }
    #expect(bench.settles())
    #expect(bench.drain(within: .seconds(1)) == 0)
    print("leaders that moved 6 times: \(try bench.expectEverything())")
    bench.expectReleased()
    #expect(bench.log.isEmpty, "\(bench.log)")
  }

  /// Leaders of what the missing broker led are elected elsewhere; the other partitions never wait.
  @Test func oneOfThreeBrokersIsEnough() throws {
    let bench = try ForwarderBench(laneCount: 3)
    bench.append(50)
    #expect(bench.settles())
    for broker in 1...3 as ClosedRange<Int32> {
      bench.cluster.setReachable(false, broker: broker)
      for partition in 0..<ForwarderBench.partitionCount {
        bench.cluster.moveLeader(ofTopic: "cameras", partition: partition, to: broker % 3 + 1)
      }
      bench.append(50)
      #expect(bench.settles())
      bench.cluster.setReachable(true, broker: broker)
    }
    #expect(bench.drain(within: .seconds(1)) == 0)
    print("each of three brokers down in turn: \(try bench.expectEverything())")
    bench.expectReleased()
  }

  @Test(arguments: [7, 19] as [Int32])  // REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS
  func passingTroubleIsLeftToLibrdkafka(code: Int32) throws {
    let bench = try ForwarderBench(laneCount: 2)
    bench.cluster.fail(.produce, count: 3, code: code)
    bench.append(100)
    #expect(bench.settles())
    try bench.expectEverything()
    #expect(bench.log.isEmpty, "\(bench.log)")
  }

  /// A broker that lost its state (OUT_OF_ORDER_SEQUENCE_NUMBER at the head of the line) is fatal to a producer.
  @Test func aFatalErrorTakesANewProducer() throws {
    // One request at a time: what is under way behind the one that fails a broker refuses by its sequence numbers, but
    // the mock would take it.
    let bench = try ForwarderBench(laneCount: 3, properties: [ClientProperty("max.in.flight", "1")])
    bench.append(50)
    #expect(bench.settles())
    bench.cluster.fail(.produce, code: 45)
    bench.append(40)
    #expect(bench.line(with: "the producer failed (OUT_OF_ORDER_SEQUENCE_NUMBER") != nil)
    bench.append(50)
    #expect(bench.settles())
    #expect(bench.drain(within: .seconds(1)) == 0)
    try bench.expectEverything()
    bench.expectReleased()
    #expect(bench.log.count == 1, "\(bench.log)")
  }

  /// Without the right to a producer id every new producer fails as well: no storm of them.
  @Test func aProducerThatFailsAgainWaits() throws {
    let bench = try ForwarderBench(preparing: { cluster in
      cluster.fail(.initProducerID, count: 3, code: 31)  // CLUSTER_AUTHORIZATION_FAILED
    })
    bench.append(20)
    #expect(bench.line(with: "the producer failed (CLUSTER_AUTHORIZATION_FAILED") != nil)
    #expect(bench.line(with: "starting a new one in 2 s") != nil)
    #expect(bench.settles())
    try bench.expectEverything()
    let pauses = bench.log.compactMap { $0.split(separator: "starting a new one in ").last?.prefix(3) }
    #expect(pauses == ["0 s", "1 s", "2 s"])
  }

  @Test func onlyTheRecordThatIsRefusedIsDropped() throws {
    let bench = try ForwarderBench()
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.fail(.produce, count: 2, code: 10)  // MSG_SIZE_TOO_LARGE: the batch, then the first of it alone
    bench.append(20)
    #expect(bench.settles())
    #expect(bench.line(with: "cam-0: Kafka will never accept frame 2 (MSG_SIZE_TOO_LARGE") != nil)
    #expect(bench.backlog.drops == [[.quarantined: 1]])
    let records = try bench.stored()
    try bench.expectEverything(dropped: [2])
    let next = try #require(records.first { $0.sequence == 3 })
    #expect(next.header("ce_gap") == "1")
    #expect(next.header("ce_gapreason") == "quarantined")
    bench.drain(within: .seconds(1))
    bench.expectReleased()
  }

  /// A topic that takes less than is configured, and does not tell: records become smaller until they pass.
  @Test func aRecordThatIsTooLargeIsSplit() throws {
    let bench = try ForwarderBench()
    bench.append(1, byteCount: 40_000)
    #expect(bench.settles())
    bench.cluster.fail(.produce, code: 10)  // MSG_SIZE_TOO_LARGE
    bench.append(1, byteCount: 40_000)
    #expect(bench.settles())
    bench.append(2, byteCount: 40_000)
    #expect(bench.settles())
    #expect(bench.backlog.drops == [[:]])
    try bench.expectEverything(byteCount: 40_000)
    let parts = try bench.stored().filter { $0.header("ce_chunk") != nil }.map { $0.value.count }
    #expect(!parts.isEmpty && parts.allSatisfy { $0 < 32 << 10 })
  }

  /// What is queued after a batch that is refused for good does not overtake it. A broker refuses what the same producer
  /// still sends by its sequence number; the mock does not look at these, so it is told to.
  @Test func aRefusedBatchKeepsItsPlace() throws {
    let bench = try ForwarderBench(
      properties: [ClientProperty("batch.size", "1000000"), ClientProperty("max.in.flight", "1")])
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.fail(.produce, code: 32)  // INVALID_TIMESTAMP
    bench.cluster.fail(.produce, code: 45)  // OUT_OF_ORDER_SEQUENCE_NUMBER, for whatever comes next
    bench.append(60, byteCount: 40_000)  // a batch each
    #expect(bench.settles())
    let stored = try bench.stored().map(\.sequence)
    #expect(stored == Array(1...61), "\(stored) \(bench.log)")
    #expect(bench.backlog.drops == [[:]])
  }

  @Test func aTopicThatMustNotBeWrittenHoldsItsFrames() throws {
    let bench = try ForwarderBench(preparing: { cluster in
      // Every attempt fails, until the test has seen what it came for.
      cluster.fail(.produce, count: 1_000, code: 29)  // TOPIC_AUTHORIZATION_FAILED
    })
    bench.append(20)
    let line = try #require(bench.line(with: "TOPIC_AUTHORIZATION_FAILED"))
    #expect(line.contains("topic 'cameras'"))
    #expect(line.contains("frames of cam-0 are held"))
    #expect(line.contains("retry in 1 s"))
    let held = bench.forwarder.status.held
    #expect(held.map(\.lane.topic) == ["cameras"])
    #expect(held.first?.reason.contains("authorization") == true, "\(held)")
    bench.cluster.stopFailing(.produce)
    #expect(bench.settles())
    #expect(bench.forwarder.status.held.isEmpty)
    try bench.expectEverything()
    #expect(bench.log.filter { $0.contains("are held") }.count == 1, "\(bench.log)")
  }

  @Test func aTopicThatDoesNotExistHoldsItsFrames() throws {
    // Hidden before there is a producer, which may otherwise have seen it.
    let bench = try ForwarderBench(preparing: { $0.hideTopic("cameras", true) })
    bench.append(20)
    let line = try #require(bench.line(with: "are held"))
    #expect(line.contains("topic 'cameras'"))
    #expect(line.contains("frames of cam-0 are held, create the topic or mend the rights; retry in 1 s"))
    #expect(bench.backlog.byteCount > 0)
    bench.cluster.hideTopic("cameras", false)
    #expect(bench.settles())
    try bench.expectEverything()
    #expect(bench.log.filter { $0.contains("are held") }.count == 1)
  }

  @Test func theNumberOfPartitionsIsShown() throws {
    let bench = try ForwarderBench()
    #expect(bench.line(with: "topic 'cameras' has 3 partitions") != nil)
    #expect(bench.forwarder.status.partitionCounts == ["cameras": 3])
  }

  @Test func aBrokerThatDoesNotResolveIsNamed() throws {
    let bench = try ForwarderBench(brokers: "broker.invalid:9092")
    bench.append(1)
    let line = try #require(bench.line(with: "no connection to Kafka"))
    #expect(line.contains("broker.invalid:9092"))
    #expect(line.contains("Failed to resolve"))
    #expect(line.contains("frames are kept, retrying all the time"))
  }

  @Test func aStopCountsWhatIsLeft() throws {
    let bench = try ForwarderBench(laneCount: 2)
    bench.append(10)
    #expect(bench.settles())
    bench.cluster.setReachable(false)
    bench.append(200)
    #expect(bench.drain(within: .milliseconds(300)) == 400)
    #expect(bench.forwarder.status.inFlightCount == 0)
    bench.expectReleased()
    #expect(bench.backlog.waitingCount == 400)
  }

  @Test func aWrongPropertyIsNamed() {
    #expect {
      try ForwarderBench(properties: [ClientProperty("linger.ms", "soon")])
    } throws: {
      ($0 as? BrokerError)?.message.contains("linger.ms") == true
    }
  }
}
