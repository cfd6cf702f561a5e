// librdkafka properties that the settings file may not set, because Camgate's promises rest on them. Delivery sets them.

package enum ReservedProperties {
  /// The reason by name.
  package static let reasons: [String: String] = [
    "bootstrap.servers": "use kafka.brokers",
    "metadata.broker.list": "use kafka.brokers",
    "client.id": "it is made of the gateway's name",
    "enable.idempotence": "without it retries would repeat and reorder frames",
    "enable.gapless.guarantee": "without it a refused frame would be overtaken",
    "transactional.id": "Camgate does not use transactions",
    "delivery.report.only.error": "a frame is kept until its report comes",
    "message.send.max.retries": "a frame is never given up because of failures",
    "retries": "a frame is never given up because of failures",
    "test.mock.num.brokers": "frames would go to a cluster that is none",
    "acks": "a frame counts as delivered only when all replicas have it",
    "request.required.acks": "a frame counts as delivered only when all replicas have it",
    "message.timeout.ms": "a frame is never given up because of time",
    "delivery.timeout.ms": "a frame is never given up because of time",
    "partitioner": "one camera stays on one partition, the same one for every client",
    "message.max.bytes": "use kafka.message_max_bytes",
    "queue.buffering.max.kbytes": "use buffer.memory",
    "queue.buffering.max.messages": "use buffer.memory",
    "topic.blacklist": "frames of such a topic would wait for ever",
    "plugin.library.paths": "code is not loaded from the settings",
  ]
}
