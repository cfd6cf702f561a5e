import Broker
import Settings

// From settings to plan, and the one check that needs librdkafka: whether it knows the properties.

extension GatewayPlan {
  /// The plan for these settings.
  package init(_ configuration: Configuration) {
    self.init(
      name: configuration.gateway, brokers: configuration.kafka.brokers.joined(separator: ","),
      messageMaxBytes: configuration.kafka.messageMaxBytes,
      properties: configuration.kafka.properties.map { ClientProperty($0.name, $0.value) },
      memoryBudget: configuration.buffer.memory,
      cameras: configuration.cameras.map { camera in
        CameraPlan(description: camera.description, topic: camera.topic ?? configuration.kafka.topic)
      })
  }
}

extension SettingsFile {
  /// All diagnostics, those of librdkafka among them.
  package var allDiagnostics: [Diagnostic] {
    diagnostics
      + properties.compactMap { property in
        ClientProperty(property.name, property.value).refusal.map { refusal(of: property, message: $0) }
      }
  }
}
