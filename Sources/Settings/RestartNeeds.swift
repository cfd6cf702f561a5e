// What a running gateway cannot change: said of a file that is read again, at the line where it stands.

/// The settings that take effect at the next start only.
package enum RestartNeeds {
  /// Keys that a running gateway takes over when its file is read again; with those below them.
  static let live: [String] = [
    "kafka.topic", "kafka.tls", "kafka.sasl", "cameras", "stop_timeout", "log",
  ]

  /// The other keys, each with its value as text that differs when the value does.
  static let fixed: [(path: String, value: @Sendable (Configuration) -> String)] = [
    ("gateway", { $0.gateway }),
    ("kafka.brokers", { "\($0.kafka.brokers)" }),
    ("kafka.message_max_bytes", { "\($0.kafka.messageMaxBytes)" }),
    ("kafka.catch_up.order", { "\($0.kafka.catchUpOrder)" }),
    ("kafka.catch_up.max_rate", { "\($0.kafka.catchUpRate ?? 0)" }),
    ("kafka.catch_up.backfill_topic", { $0.kafka.backfillTopic ?? "" }),
    ("kafka.resume", { "\($0.kafka.resume)" }),
    ("kafka.resume_quiet", { "\($0.kafka.resumeQuiet)" }),
    ("kafka.properties", { "\($0.kafka.properties.map { [$0.name, $0.value] })" }),
    ("buffer.memory", { "\($0.buffer.memory)" }),
    ("buffer.directory", { $0.buffer.directory ?? "" }),
    ("buffer.size", { "\($0.buffer.size ?? 0)" }),
    ("buffer.segment", { "\($0.buffer.segment)" }),
    ("buffer.write", { "\($0.buffer.write)" }),
    ("buffer.spill_after", { "\($0.buffer.spillAfter)" }),
    ("buffer.sync_interval", { "\($0.buffer.syncInterval)" }),
    ("buffer.sync_bytes", { "\($0.buffer.syncBytes)" }),
    ("buffer.thin_above", { "\($0.buffer.thinAbove ?? 0)" }),
    ("sandbox", { "\($0.sandbox)" }),
    ("system.hostname", { $0.system.hostname ?? "" }),
    ("system.network", { "\($0.system.network)" }),
    ("system.ntp", { "\($0.system.ntp)" }),
  ]

  /// A warning for each of these keys whose value is another one in `new`, which was read from `file`.
  package static func diagnostics(
    from old: Configuration, to new: Configuration, in file: SettingsFile
  ) -> [Diagnostic] {
    fixed.filter { $0.value(old) != $0.value(new) }
      .map { file.restartNeeded($0.path, "this takes effect at the next start") }
  }
}

extension SettingsFile {
  /// The warning that a key's new value waits for a restart, at the key, or at the block in which it is missing now.
  package func restartNeeded(_ path: String, _ what: String) -> Diagnostic {
    let root = (try? YAMLNode.parse(source.bytes)).flatMap { $0 }
    let key = root.flatMap { $0.key(at: path.split(separator: ".").map { String($0) }) }
    let length = key.map { max(1, $0.end.column - $0.start.column) } ?? 0
    return Diagnostic(
      severity: .warning, path: path, message: "restart needed: \(what)", mark: key?.start, length: length)
  }
}

extension YAMLNode {
  /// The key that leads to a place, as far as the way goes; nil when not even its beginning is there.
  fileprivate func key(at path: [String]) -> YAMLNode? {
    guard let name = path.first, case .mapping(let pairs) = content else { return nil }
    for (key, value) in pairs {
      guard case .scalar(name, _) = key.content else { continue }
      return value.key(at: Array(path.dropFirst())) ?? key
    }
    return nil
  }
}
