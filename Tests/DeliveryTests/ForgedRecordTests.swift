import Broker
import Posix
import Testing

@testable import Backlog
@testable import Delivery

/// Others may write to the topic, too: records with the gateway's ids must not keep its frames from being sent.
@Suite struct ForgedRecordTests {
  /// Writes records with the ids of the bench's first lane, and waits until they are there.
  private func forge(_ sequences: ClosedRange<UInt64>, _ bench: ForwarderBench, value: [UInt8]) throws {
    let reports = Monitor(0)
    let producer = try Producer(
      properties: [
        ClientProperty("bootstrap.servers", bench.cluster.bootstrapServers),
        ClientProperty("partitioner", "murmur2_random"),
      ], onReport: { if $0.error == nil { reports.withLock { $0 += 1 } } }, onEvent: { _ in })
    for sequence in sequences {
      try value.withUnsafeBytes { value in
        let record = OutgoingRecord(
          topic: "cameras", key: "g/cam-0", headers: [("ce_id", "0000000000000001-1-\(sequence)")], timestamp: 0)
        try producer.send(record, payload: value, id: UInt(sequence))
      }
    }
    let deadline = MonotonicTime.now() + .seconds(20)
    while reports.read({ $0 }) < sequences.count, .now() < deadline { producer.poll(milliseconds: 20) }
    try #require(reports.read { $0 } == sequences.count)
  }

  /// What was in flight may lie in Kafka when the producer is given up. It does not, but records with its ids do: of the
  /// same length, and of another.
  @Test(arguments: [600, 3])
  func keepNothingFromBeingSent(_ byteCount: Int) throws {
    let bench = try ForwarderBench(
      properties: [ClientProperty("linger.ms", "200"), ClientProperty("batch.size", "1000000")],
      resumeQuiet: .milliseconds(300))
    bench.append(5)
    #expect(bench.settles())
    // Not taken, and answered too late: NOT_LEADER_FOR_PARTITION.
    for broker in 1...3 as ClosedRange<Int32> {
      bench.cluster.fail(.produce, code: 6, broker: broker, milliseconds: 30_000)
    }
    bench.append(20)
    #expect(bench.waitUntilInFlight(20))
    // The gateway's request is the first one to its broker.
    Thread.sleep(.milliseconds(500))
    try forge(6...25, bench, value: [UInt8](repeating: 0xEE, count: byteCount))
    bench.forwarder.renew(Security())
    #expect(bench.line(with: "a new producer is in use") != nil)
    #expect(bench.settles())
    let stored = try bench.stored()
    for sequence in 1...25 as ClosedRange<UInt64> {
      let bytes = ForwarderBench.bytes(lane: 0, sequence: sequence, count: 600)
      let isThere = stored.contains {
        $0.header("ce_id") == "0000000000000001-1-\(sequence)" && $0.value == bytes
      }
      #expect(isThere, "frame \(sequence) was taken for delivered")
    }
  }
}
