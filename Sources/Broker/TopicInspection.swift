import CRdKafka

// What the cluster says of a topic. All calls block, for the thread of whoever asks.

extension Producer {
  /// How many partitions a topic has; nil when it does not exist.
  package func partitionCount(ofTopic name: String, milliseconds: Int32) throws(BrokerError) -> Int? {
    let answer = withHandle { handle -> Result<Int?, BrokerError> in
      do throws(BrokerError) { return .success(try queryPartitionCount(handle, name, milliseconds)) } catch {
        return .failure(error)
      }
    }
    return try answer.get()
  }

  /// The lowest offset of a partition, and the one that its next record will get.
  package func offsets(of place: TopicPartition, milliseconds: Int32) throws(BrokerError) -> Range<Int64> {
    let answer = withHandle { handle -> Result<Range<Int64>, BrokerError> in
      do throws(BrokerError) { return .success(try queryOffsets(handle, place, milliseconds)) } catch {
        return .failure(error)
      }
    }
    return try answer.get()
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
