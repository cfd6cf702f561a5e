import Backlog
import Broker
import Delivery
import DiskRing
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
      disk: DiskOptions(configuration.buffer),
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

extension DiskOptions {
  /// nil when the settings name no directory.
  fileprivate init?(_ buffer: Configuration.Buffer) {
    guard let directory = buffer.directory else { return nil }
    self.init(
      directory: directory,
      ring: RingOptions(
        size: buffer.size.map { .bytes($0) } ?? .auto, segmentByteCount: buffer.segment,
        syncInterval: buffer.syncInterval, syncBytes: buffer.syncBytes, minimumEpoch: GatewayIdentity.newEpoch()),
      write: buffer.write == .always ? .always : .onPressure, spillAfter: buffer.spillAfter,
      thinAbove: buffer.thinAbove)
  }
}
