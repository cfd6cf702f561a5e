import CRdKafka

// What the cluster says of topics. Invariant: to ask creates nothing, and costs no more than what is asked for: each topic is
// asked for by its name (a list of all topics takes a slow link minutes), by a client that tells the brokers not to create it.

/// Asks the cluster about topics. All questions block, and are asked by one thread; `poll` may be called by another.
// Unchecked because of the C handles, which are thread-safe, and of `topics`, which the asking thread alone touches.
package final class ClusterInspector: @unchecked Sendable {
  private let client: ConsumerHandle
  private var topics: [String: OpaquePointer] = [:]

  /// `onEvent` may be called from any thread; errors come through `poll`. `properties` are those of all clients; what this
  /// one rests on wins.
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
        // A property of consumers only, which is why no producer asks.
        ClientProperty("allow.auto.create.topics", "false"),
      ])
    callbacks.install(in: configuration.handle)
    client = ConsumerHandle(try configuration.makeClient(RD_KAFKA_CONSUMER, callbacks), callbacks)
  }

  deinit { for topic in topics.values { rd_kafka_topic_destroy(topic) } }

  /// Serves errors; returns at once.
  package func poll() { rd_kafka_poll(client.pointer, 0) }

  /// How many partitions a topic has; nil when it does not exist.
  package func partitionCount(ofTopic name: String, milliseconds: Int32) throws(BrokerError) -> Int? {
    if topics[name] == nil { topics[name] = rd_kafka_topic_new(client.pointer, name, nil) }
    guard let topic = topics[name] else { throw BrokerError(rd_kafka_last_error()) }
    var metadata: UnsafePointer<rd_kafka_metadata>?
    let code = rd_kafka_metadata(client.pointer, 0, topic, &metadata, milliseconds)
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { throw BrokerError(code) }
    defer { rd_kafka_metadata_destroy(metadata) }
    guard metadata.pointee.topic_cnt == 1 else { return nil }
    let answer = metadata.pointee.topics[0]
    if answer.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART { return nil }
    if answer.err != RD_KAFKA_RESP_ERR_NO_ERROR, answer.partition_cnt == 0 { throw BrokerError(answer.err) }
    return Int(answer.partition_cnt)
  }

  /// The lowest offset of a partition, and the one that its next record will get.
  package func offsets(of place: TopicPartition, milliseconds: Int32) throws(BrokerError) -> Range<Int64> {
    try queryOffsets(client.pointer, place, milliseconds)
  }

  /// The topic's `max.message.bytes`; nil when the cluster does not tell.
  package func largestRecord(ofTopic name: String, milliseconds: Int32) -> Int? {
    guard let queue = rd_kafka_queue_new(client.pointer) else { return nil }
    defer { rd_kafka_queue_destroy(queue) }
    let options = rd_kafka_AdminOptions_new(client.pointer, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)
    defer { rd_kafka_AdminOptions_destroy(options) }
    rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, nil, 0)
    var resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name)
    defer { rd_kafka_ConfigResource_destroy(resource) }
    rd_kafka_DescribeConfigs(client.pointer, &resource, 1, options, queue)
    guard let event = rd_kafka_queue_poll(queue, milliseconds + 100) else { return nil }
    defer { rd_kafka_event_destroy(event) }
    return rd_kafka_event_DescribeConfigs_result(event).flatMap(largestRecord)
  }

  private func largestRecord(in result: OpaquePointer) -> Int? {
    var (resourceCount, entryCount) = (0, 0)
    guard let resources = rd_kafka_DescribeConfigs_result_resources(result, &resourceCount), resourceCount > 0,
      let entries = rd_kafka_ConfigResource_configs(resources[0], &entryCount)
    else { return nil }
    for index in 0..<entryCount {
      guard let name = rd_kafka_ConfigEntry_name(entries[index]), String(cString: name) == "max.message.bytes" else {
        continue
      }
      return rd_kafka_ConfigEntry_value(entries[index]).flatMap { Int(String(cString: $0)) }
    }
    return nil
  }
}
