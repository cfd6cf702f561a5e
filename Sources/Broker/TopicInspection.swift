import CRdKafka

// What the cluster says of a topic. Both calls block, for the thread of whoever asks.

extension Producer {
  /// How many partitions a topic has; nil when it does not exist. Asks for the list of all topics, so that the question
  /// does not create it.
  package func partitionCount(ofTopic name: String, milliseconds: Int32) throws(BrokerError) -> Int? {
    var metadata: UnsafePointer<rd_kafka_metadata>?
    let code = withHandle { rd_kafka_metadata($0, 1, nil, &metadata, milliseconds) }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { throw BrokerError(code) }
    defer { rd_kafka_metadata_destroy(metadata) }
    for index in 0..<Int(metadata.pointee.topic_cnt) {
      let topic = metadata.pointee.topics[index]
      guard String(cString: topic.topic) == name else { continue }
      if topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART { return nil }
      if topic.err != RD_KAFKA_RESP_ERR_NO_ERROR, topic.partition_cnt == 0 { throw BrokerError(topic.err) }
      return Int(topic.partition_cnt)
    }
    return nil
  }

  /// The topic's `max.message.bytes`; nil when the cluster does not tell.
  package func largestRecord(ofTopic name: String, milliseconds: Int32) -> Int? {
    withHandle { handle in
      guard let queue = rd_kafka_queue_new(handle) else { return nil }
      defer { rd_kafka_queue_destroy(queue) }
      let options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)
      defer { rd_kafka_AdminOptions_destroy(options) }
      rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, nil, 0)
      var resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name)
      defer { rd_kafka_ConfigResource_destroy(resource) }
      rd_kafka_DescribeConfigs(handle, &resource, 1, options, queue)
      guard let event = rd_kafka_queue_poll(queue, milliseconds + 100) else { return nil }
      defer { rd_kafka_event_destroy(event) }
      return rd_kafka_event_DescribeConfigs_result(event).flatMap(largestRecord)
    }
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
