import Broker

// How Camgate sets up librdkafka's producer, and why.

package enum ProducerProperties {
  /// Why librdkafka makes no producer of these settings, each of which it takes by itself; nil when it does. Nothing is
  /// connected to.
  package static func refusal(of configuration: Forwarder.Configuration) -> String? {
    let properties = all(for: configuration, recordLimit: configuration.messageMaxBytes).filter {
      $0.name != "bootstrap.servers"
    }
    do throws(BrokerError) {
      _ = try Producer(
        security: configuration.security, properties: properties, onReport: { _ in }, onEvent: { _ in })
      return nil
    } catch { return error.message }
  }

  /// All properties of the producer, Camgate's defaults first, the user's behind them, and last those that the settings
  /// file may not set (Settings, ReservedProperties).
  package static func all(for configuration: Forwarder.Configuration, recordLimit: Int) -> [ClientProperty] {
    let defaults = [
      ClientProperty("linger.ms", "5"),
      // When a link becomes slow under full requests, each of them must be through before it is given up: 128 KiB take
      // 16 s at 64 kbit/s, librdkafka's own megabyte two minutes.
      ClientProperty("batch.size", "131072"),
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
      // A batch that is refused for good must not be overtaken by what was sent behind it: the producer stops instead.
      ClientProperty("enable.gapless.guarantee", "true"),
      ClientProperty("acks", "all"),
      ClientProperty("message.send.max.retries", String(Int32.max)),
      // Without a report a frame would stay in the backlog for ever.
      ClientProperty("delivery.report.only.error", "false"),
      // The backlog is the long buffer: librdkafka's five minutes would lose what is still kept.
      ClientProperty("message.timeout.ms", "0"),
      // Java's, so that every client agrees which partition a camera is on.
      ClientProperty("partitioner", "murmur2_random"),
      ClientProperty("message.max.bytes", String(recordLimit)),
      // Above our own window, so that the queue is never full.
      ClientProperty("queue.buffering.max.kbytes", String(configuration.windowBytes * 2 / 1_024 + 1_024)),
      ClientProperty("queue.buffering.max.messages", "1000000"),
    ]
    return defaults + configuration.properties + reserved
  }
}
