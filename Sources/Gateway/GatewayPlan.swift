import Backlog
import Broker
import Capture
import Delivery
import Frames

// What a gateway is made of, once settings, environment and defaults are resolved.

/// Everything a gateway needs to know.
package struct GatewayPlan: Sendable {
  /// A camera and the topic of its frames.
  package struct CameraPlan: Sendable, Equatable {
    package var description: CameraDescription
    package var topic: String

    package init(description: CameraDescription, topic: String) {
      (self.description, self.topic) = (description, topic)
    }
  }

  /// The gateway's name, unique in its fleet.
  package var name: String
  /// `host:port,…`
  package var brokers: String
  /// What a record may be, bytes.
  package var messageMaxBytes: Int
  /// Bits a second while frames wait; nil: unlimited.
  package var catchUpRate: Int?
  /// TLS and SASL.
  package var security: Security
  /// Further librdkafka properties.
  package var properties: [ClientProperty]
  /// Bytes of frames in memory, all cameras together.
  package var memoryBudget: Int
  /// Where frames go that memory cannot hold or that must survive; nil for memory only.
  package var disk: DiskOptions?
  package var cameras: [CameraPlan]

  package init(
    name: String, brokers: String, messageMaxBytes: Int, security: Security = Security(),
    properties: [ClientProperty], memoryBudget: Int, disk: DiskOptions? = nil, cameras: [CameraPlan]
  ) {
    self.security = security
    (self.name, self.brokers, self.messageMaxBytes) = (name, brokers, messageMaxBytes)
    (self.properties, self.memoryBudget, self.disk, self.cameras) = (properties, memoryBudget, disk, cameras)
  }

  /// Bytes that may be under way to Kafka: 16 MiB, at most half the memory, never less than one record.
  var windowBytes: Int { max(min(16 << 20, memoryBudget / 2), messageMaxBytes) }

  /// The part of it that concerns Kafka.
  var delivery: Forwarder.Configuration {
    Forwarder.Configuration(
      brokers: brokers, clientID: "camgate-\(name)", messageMaxBytes: messageMaxBytes, windowBytes: windowBytes,
      security: security, catchUpRate: catchUpRate.map { max(1, $0 / 8) }, properties: properties)
  }
}
