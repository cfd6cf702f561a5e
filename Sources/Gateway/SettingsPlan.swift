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
      security: Security(configuration.kafka),
      properties: configuration.kafka.properties.map { ClientProperty($0.name, $0.value) },
      memoryBudget: configuration.buffer.memory,
      disk: DiskOptions(configuration.buffer),
      cameras: configuration.cameras.map { camera in
        CameraPlan(description: camera.description, topic: camera.topic ?? configuration.kafka.topic)
      })
    catchUpRate = configuration.kafka.catchUpRate
  }
}

extension Security {
  /// What the settings say of TLS and SASL.
  package init(_ kafka: Configuration.Kafka) {
    let tls = kafka.tls.map { tls in
      TLS(authority: tls.authority, certificate: tls.certificate, key: tls.key, verifies: tls.verifies)
    }
    switch kafka.sasl {
    case .password(let mechanism, let username, let password)?:
      let sasl = SASL.password(mechanism: mechanism.rawValue, username: username, password: password)
      self.init(tls: tls, sasl: sasl)
    case .tokenFile(let path)?: self.init(tls: tls, sasl: .token(.file(path)))
    case .tokenCommand(let line)?: self.init(tls: tls, sasl: .token(.command(line)))
    case nil: self.init(tls: tls)
    }
  }
}

extension SettingsFile {
  /// All diagnostics, those of librdkafka among them.
  package var allDiagnostics: [Diagnostic] {
    let single = properties.compactMap { property in
      ClientProperty(property.name, property.value).refusal.map { refusal(of: property, message: $0) }
    }
    // Properties that are good each by itself may not go together.
    guard single.isEmpty, let configuration,
      let reason = ProducerProperties.refusal(of: GatewayPlan(configuration).delivery)
    else { return diagnostics + single }
    return diagnostics + [refusal(message: reason)]
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
