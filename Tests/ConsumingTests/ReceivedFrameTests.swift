import Broker
import Frames
import Posix
import Records
import Testing

@testable import Consuming

/// Records, read back through librdkafka's mock cluster.
@Suite struct ReceivedFrameTests {
  @Test func whatWasWrittenIsRead() throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 1)
    let producer = try Producer(
      properties: [ClientProperty("bootstrap.servers", cluster.bootstrapServers)], onReport: { _ in },
      onEvent: { _ in })
    let headers: [(name: String, value: String)] = [
      ("ce_type", "camgate.frame.v1"), ("ce_source", "/g/cam"), ("ce_id", "r-1-7"), ("ce_time", "now"),
      ("content-type", "image/jpeg"), ("ce_sequence", "17"), ("ce_keyframe", "1"),
    ]
    let payload: [UInt8] = [1, 2, 3]
    try payload.withUnsafeBytes { payload in
      try producer.send(
        OutgoingRecord(topic: "t", key: "k", headers: headers.dropLast(), timestamp: 0), payload: payload, id: 1)
      try producer.send(OutgoingRecord(topic: "t", key: "k", headers: headers, timestamp: 0), payload: payload, id: 2)
      while producer.pendingCount > 0 { producer.poll(milliseconds: 100) }
    }
    var frames: [ReceivedFrame?] = []
    try read(from: cluster, while: { frames.count < 2 }) { record in frames.append(try? ReceivedFrame(record)) }
    try #require(frames.count == 2)
    #expect(frames[0] == nil)
    let frame = try #require(frames[1])
    #expect(frame.source == "/g/cam" && frame.codec == .mjpeg && frame.offset == 1)
    #expect(Array(frame.payload.bytes) == payload)
  }

  /// Frames keep their record, and pictures are often kept longer than the reader: neither hangs nor loses the bytes.
  @Test func aRecordOutlivesItsConsumer() throws {
    let cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("t", partitionCount: 1)
    let producer = try Producer(
      properties: [ClientProperty("bootstrap.servers", cluster.bootstrapServers)], onReport: { _ in },
      onEvent: { _ in })
    let payload = Array(0...255) as [UInt8]
    try payload.withUnsafeBytes { payload in
      try producer.send(OutgoingRecord(topic: "t", key: "k", headers: [], timestamp: 0), payload: payload, id: 1)
      while producer.pendingCount > 0 { producer.poll(milliseconds: 100) }
    }
    let kept = Monitor<IncomingRecord?>(nil)
    try read(from: cluster, while: { kept.read { $0 == nil } }) { record in kept.withLock { $0 = record } }
    let record = try #require(kept.read { $0 })
    #expect(Array(record.value) == payload)
  }

  private func read(from cluster: MockCluster, while isHungry: () -> Bool, _ body: (IncomingRecord) -> Void) throws {
    let consumer = try Consumer(
      brokers: cluster.bootstrapServers, group: "g", topic: "t", from: .beginning, onEvent: { _ in })
    let deadline = MonotonicTime.now() + .seconds(60)
    while isHungry(), MonotonicTime.now() < deadline {
      if case .record(let record) = consumer.poll(milliseconds: 100) { body(record) }
    }
  }
}
