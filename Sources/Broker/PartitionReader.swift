import CRdKafka
import Posix

// Reads partitions from given offsets on, outside any group and without committing anything, so that it needs no right but
// to read the topic. Little is fetched ahead: who reads a tail to know what is in it has no use for more.

/// What `PartitionReader.poll` brings.
package enum PartitionEvent: Sendable {
  case record(IncomingRecord)
  /// Everything that lay in the partition at that moment was handed out.
  case end(TopicPartition)
  /// librdkafka goes on by itself unless the error is one that somebody has to mend; nil: it is not about one partition.
  case error(BrokerError, TopicPartition?)
}

/// A partition by its name.
package struct TopicPartition: Sendable, Hashable, CustomStringConvertible {
  package var topic: String
  package var partition: Int32

  package init(topic: String, partition: Int32) { (self.topic, self.partition) = (topic, partition) }

  package var description: String { "\(topic)/\(partition)" }
}

/// A reader of partitions. Used by one thread.
package final class PartitionReader {
  private let client: ConsumerHandle
  private let queue: OpaquePointer
  private var topics: [String: OpaquePointer] = [:]
  private var started: Set<TopicPartition> = []

  /// `onEvent` may be called from any thread. `properties` are those of all clients; what this one rests on wins.
  package init(
    brokers: String, clientID: String, security: Security = Security(), properties: [ClientProperty] = [],
    onEvent: @escaping @Sendable (ClientEvent) -> Void
  ) throws(BrokerError) {
    let callbacks = ClientCallbacks(security, onEvent: onEvent)
    let configuration = try ClientConfiguration(
      security.properties + properties + [
        ClientProperty("bootstrap.servers", brokers),
        ClientProperty("client.id", clientID),
        ClientProperty("enable.auto.commit", "false"),
        ClientProperty("enable.auto.offset.store", "false"),
        ClientProperty("enable.partition.eof", "true"),
        // What a dead process sent counts as soon as the broker has it.
        ClientProperty("isolation.level", "read_uncommitted"),
        ClientProperty("auto.offset.reset", "earliest"),
        ClientProperty("fetch.wait.max.ms", "100"),
        ClientProperty("fetch.message.max.bytes", "1048576"),
        ClientProperty("queued.min.messages", "1"),
        ClientProperty("queued.max.messages.kbytes", "1024"),
      ])
    callbacks.install(in: configuration.handle)
    client = ConsumerHandle(try configuration.makeClient(RD_KAFKA_CONSUMER, callbacks), callbacks)
    guard let queue = rd_kafka_queue_new(client.pointer) else {
      throw BrokerError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE)
    }
    self.queue = queue
  }

  deinit {
    for place in started {
      if let topic = topics[place.topic] { rd_kafka_consume_stop(topic, place.partition) }
    }
    rd_kafka_queue_destroy(queue)
    for topic in topics.values { rd_kafka_topic_destroy(topic) }
  }

  /// Hands out what a partition holds from `offset` on.
  package func start(_ place: TopicPartition, at offset: Int64) throws(BrokerError) {
    if topics[place.topic] == nil { topics[place.topic] = rd_kafka_topic_new(client.pointer, place.topic, nil) }
    guard let topic = topics[place.topic],
      rd_kafka_consume_start_queue(topic, place.partition, offset, queue) == 0
    else { throw BrokerError(rd_kafka_last_error()) }
    started.insert(place)
  }

  /// Hands out nothing more of a partition.
  package func stop(_ place: TopicPartition) {
    guard started.remove(place) != nil, let topic = topics[place.topic] else { return }
    rd_kafka_consume_stop(topic, place.partition)
  }

  /// The lowest offset of a partition, and the one that its next record will get. Blocks.
  package func offsets(of place: TopicPartition, milliseconds: Int32) throws(BrokerError) -> Range<Int64> {
    try queryOffsets(client.pointer, place, milliseconds)
  }

  /// The next event; nil when none came within `milliseconds`.
  package func poll(milliseconds: Int32) -> PartitionEvent? {
    rd_kafka_poll(client.pointer, 0)
    guard let message = rd_kafka_consume_queue(queue, milliseconds) else { return nil }
    let code = message.pointee.err
    if code == RD_KAFKA_RESP_ERR_NO_ERROR { return .record(IncomingRecord(message, of: client)) }
    defer { rd_kafka_message_destroy(message) }
    let place = message.pointee.rkt.map { topic in
      TopicPartition(topic: String(cString: rd_kafka_topic_name(topic)), partition: message.pointee.partition)
    }
    if code == RD_KAFKA_RESP_ERR__PARTITION_EOF, let place { return .end(place) }
    return .error(BrokerError(code, String(cString: rd_kafka_message_errstr(message))), place)
  }
}

/// Kafka's own order of keys on partitions (Java's DefaultPartitioner), which `partitioner=murmur2_random` follows.
package func partition(ofKey key: String, among count: Int) -> Int32 {
  let bytes = Array(key.utf8)
  // Neither topic nor opaques are looked at where there is a key (rdkafka_msg.c).
  return rd_kafka_msg_partitioner_murmur2(nil, bytes, bytes.count, Int32(clamping: count), nil, nil)
}

/// The lowest offset of a partition, and the one that its next record will get.
func queryOffsets(
  _ client: OpaquePointer, _ place: TopicPartition, _ milliseconds: Int32
) throws(BrokerError) -> Range<Int64> {
  var (low, high): (Int64, Int64) = (0, 0)
  let code = rd_kafka_query_watermark_offsets(client, place.topic, place.partition, &low, &high, milliseconds)
  if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw BrokerError(code) }
  return low..<max(low, high)
}
