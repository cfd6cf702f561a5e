import CRdKafka

// librdkafka's own in-process cluster (rdkafka_mock.h): for `camgate demo` and for injected errors in tests. It keeps
// about 5 MB a partition and does not remove the duplicates of idempotent retries.

/// An in-process Kafka cluster on loopback ports.
// Unchecked because of the C handles: what is called here posts to the cluster's own thread, takes the cluster's lock
// (request errors) or reads what never changes (bootstrap servers), see rdkafka_mock.c. Not so all of rdkafka_mock.h.
package final class MockCluster: @unchecked Sendable {
  private let host: OpaquePointer
  private let cluster: OpaquePointer
  /// How many brokers it has; their ids are 1...brokerCount.
  package let brokerCount: Int32

  package init(brokerCount: Int32) throws(BrokerError) {
    let configuration = try ClientConfiguration([ClientProperty("client.id", "mock"), ClientProperty("log_level", "0")])
    host = try configuration.makeClient(RD_KAFKA_PRODUCER)
    guard let cluster = rd_kafka_mock_cluster_new(host, brokerCount) else {
      rd_kafka_destroy(host)
      throw BrokerError(name: "_FAIL", message: "the mock cluster could not be started", disposition: .poison)
    }
    (self.cluster, self.brokerCount) = (cluster, brokerCount)
  }

  deinit {
    rd_kafka_mock_cluster_destroy(cluster)
    rd_kafka_destroy(host)
  }

  /// `host:port,…` for clients.
  package var bootstrapServers: String { String(cString: rd_kafka_mock_cluster_bootstraps(cluster)) }

  /// Creates a topic; topics that are merely asked for are created too, with 4 partitions.
  package func createTopic(_ name: String, partitionCount: Int32) throws(BrokerError) {
    let code = rd_kafka_mock_topic_create(cluster, name, partitionCount, brokerCount)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw BrokerError(code) }
  }

  /// From now on the topic answers as one that does not exist and may not be created.
  package func hideTopic(_ name: String, _ isHidden: Bool) {
    rd_kafka_mock_topic_set_error(
      cluster, name, isHidden ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : RD_KAFKA_RESP_ERR_NO_ERROR)
  }

  /// What a client asks for, with its API key (Kafka protocol guide, "API Keys").
  package enum Request: Int16, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case initProducerID = 22
  }

  /// Answers the next `count` requests of one kind with an error code of the Kafka protocol.
  package func fail(_ request: Request, count: Int = 1, code: Int32) {
    for _ in 0..<count { camgate_mock_push_error(cluster, request.rawValue, rd_kafka_resp_err_t(code)) }
  }

  /// Errors for this kind of request that were not given out yet are forgotten.
  package func stopFailing(_ request: Request) { rd_kafka_mock_clear_request_errors(cluster, request.rawValue) }

  /// The same for the requests to one broker, which also answers so much later.
  package func fail(_ request: Request, count: Int = 1, code: Int32, broker: Int32, milliseconds: Int32 = 0) {
    for _ in 0..<count {
      camgate_mock_push_broker_error(cluster, broker, request.rawValue, rd_kafka_resp_err_t(code), milliseconds)
    }
  }

  /// Takes all brokers off the network, or brings them back.
  package func setReachable(_ isReachable: Bool) {
    for id in 1...brokerCount { setReachable(isReachable, broker: id) }
  }

  /// The same for one of them.
  package func setReachable(_ isReachable: Bool, broker id: Int32) {
    _ = isReachable ? rd_kafka_mock_broker_set_up(cluster, id) : rd_kafka_mock_broker_set_down(cluster, id)
  }

  /// Brokers answer so much later.
  package func setRoundTrip(milliseconds: Int32) {
    for id in 1...brokerCount { rd_kafka_mock_broker_set_rtt(cluster, id, milliseconds) }
  }

  /// Another broker leads a partition from now on; the old one refuses writes to it.
  package func moveLeader(ofTopic topic: String, partition: Int32, to broker: Int32) {
    rd_kafka_mock_partition_set_leader(cluster, topic, partition, broker)
  }
}
