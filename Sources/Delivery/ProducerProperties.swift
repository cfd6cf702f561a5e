import Broker

// How Camgate sets up librdkafka's producer, and why.

package enum ProducerProperties {
  /// Names a user cannot set, because Camgate's promises rest on them, with the reason.
  package static let reserved: [String: String] = [
    "bootstrap.servers": "set kafka.brokers",
    "metadata.broker.list": "set kafka.brokers",
    "client.id": "it is made of the gateway's name",
    "enable.idempotence": "without it retries would repeat and reorder frames",
    "acks": "a frame counts as delivered only when all replicas have it",
    "request.required.acks": "a frame counts as delivered only when all replicas have it",
    "message.timeout.ms": "a frame is never given up because of time",
    "delivery.timeout.ms": "a frame is never given up because of time",
    "partitioner": "one camera must stay on one partition, the same one for every client",
    "message.max.bytes": "set kafka.message_max_bytes",
    "queue.buffering.max.kbytes": "set buffer.memory",
    "queue.buffering.max.messages": "set buffer.memory",
    "plugin.library.paths": "code is not loaded from the settings",
  ]

  /// All properties of the producer, Camgate's defaults first, the user's behind them, the reserved ones last.
  static func all(for configuration: Forwarder.Configuration) -> [ClientProperty] {
    let defaults = [
      ClientProperty("linger.ms", "5"),
      // Video does not compress.
      ClientProperty("compression.codec", "none"),
      ClientProperty("socket.keepalive.enable", "true"),
      ClientProperty("log.connection.close", "false"),
      // A topic that does not exist is named after ten seconds instead of thirty.
      ClientProperty("topic.metadata.propagation.max.ms", "10000"),
    ]
    let reserved = [
      ClientProperty("bootstrap.servers", configuration.brokers),
      ClientProperty("client.id", configuration.clientID),
      // No duplicates and no reordering by retries within a producer's life; implies acks=all.
      ClientProperty("enable.idempotence", "true"),
      // The backlog is the long buffer: librdkafka's five minutes would lose what is still kept.
      ClientProperty("message.timeout.ms", "0"),
      // Java's, so that every client agrees which partition a camera is on.
      ClientProperty("partitioner", "murmur2_random"),
      ClientProperty("message.max.bytes", String(configuration.messageMaxBytes)),
      // Above our own window, so that the queue is never full.
      ClientProperty("queue.buffering.max.kbytes", String(configuration.windowBytes * 2 / 1_024 + 1_024)),
      ClientProperty("queue.buffering.max.messages", "1000000"),
    ]
    return defaults + configuration.properties + reserved
  }
}
