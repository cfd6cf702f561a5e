import Frames
import Posix

// The sections of the settings file, one function each. Cameras have a file of their own.

struct ConfigurationReader {
  var configuration = Configuration()

  mutating func read(_ root: YAMLNode, _ context: inout ReadingContext) {
    let top = Section(root, path: "", schemaPath: "", context: &context)
    readGateway(top, &context)
    if let node = top.required("kafka", &context) { readKafka(node, &context) }
    if let node = top.value("buffer") { readBuffer(node, &context) }
    checkBuffer(top, &context)
    if top.required("cameras", &context) != nil { readCameras(top, &context) }
    if let timeout = top.duration("stop_timeout", in: .zero ... .seconds(600), &context) {
      configuration.stopTimeout = timeout
    }
    configuration.sandbox = top.word("sandbox", &context) ?? configuration.sandbox
    if let node = top.value("log") { readLog(node, &context) }
    if let node = top.value("system") { configuration.system = SystemReader.read(node, &context) }
  }

  private mutating func readGateway(_ top: Section, _ context: inout ReadingContext) {
    let expected = "a gateway's name (1 to 128 of A-Z, a-z, 0-9, '.', '_' and '-')"
    if top.value("gateway") != nil {
      configuration.gateway = top.read("gateway", expected, &context) { isWord($0, limit: 128) ? $0 : nil } ?? ""
    } else {
      let variable = context.environment["HOSTNAME"] ?? ""
      configuration.gateway = variable.isEmpty ? hostName() : variable
      if !isWord(configuration.gateway, limit: 128) {
        context.report(
          "gateway",
          "the host name '\(configuration.gateway)' cannot be the gateway's name; set gateway to \(expected)",
          at: top.node.firstKey)
      }
    }
  }

  private mutating func readKafka(_ node: YAMLNode, _ context: inout ReadingContext) {
    let section = Section(node, path: "kafka", schemaPath: "kafka", context: &context)
    if section.required("brokers", &context) != nil {
      for (index, item) in (section.items("brokers", &context) ?? []).enumerated() {
        let path = "kafka.brokers[\(index)]"
        guard case .scalar = item.content else {
          let help = "; an address with brackets needs quotes: '[::1]:9092'"
          context.report(path, "expected host:port, found \(item.kindName)\(help)", at: item)
          continue
        }
        guard let text = Section.text(of: item, path: path, &context) else { continue }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
          if let broker = brokerAddress(String(part)) {
            configuration.kafka.brokers.append(broker)
          } else {
            context.report(path, "'\(part)' is not a broker's address (\(brokerRemedy(part)))", at: item)
          }
        }
      }
      if case .sequence(let items)? = section.value("brokers")?.content, items.isEmpty,
        let node = section.value("brokers")
      {
        context.report("kafka.brokers", "at least one broker is needed", at: node)
      }
    }
    let kafka = configuration.kafka
    configuration.kafka.topic = topic("topic", in: section, &context) ?? kafka.topic
    configuration.kafka.messageMaxBytes =
      section.size("message_max_bytes", in: (16 << 10)...(64 << 20), &context) ?? kafka.messageMaxBytes
    if let node = section.value("catch_up") { readCatchUp(node, &context) }
    configuration.kafka.resume = section.word("resume", &context) ?? kafka.resume
    configuration.kafka.resumeQuiet =
      section.duration("resume_quiet", in: .milliseconds(100) ... .seconds(20), &context) ?? kafka.resumeQuiet
    if let node = section.value("tls") { configuration.kafka.tls = SecurityReader.readTLS(node, &context) }
    if let node = section.value("sasl") { configuration.kafka.sasl = SecurityReader.readSASL(node, &context) }
    if let node = section.value("properties") { readProperties(node, &context) }
    SecurityReader.warnOfReadableLogin(section, configuration.kafka, &context)
  }

  private mutating func readCatchUp(_ node: YAMLNode, _ context: inout ReadingContext) {
    let section = Section(node, path: "kafka.catch_up", schemaPath: "kafka.catch_up", context: &context)
    let rate: Int?? = section.read("max_rate", "a rate such as 8Mbit/s or 256kbit/s, or unlimited", &context) { text in
      text == "unlimited" ? .some(nil) : Units.rate(text).map { .some($0) }
    }
    configuration.kafka.catchUpRate = rate ?? nil
    let order: Configuration.CatchUpOrder? = section.word("order", &context)
    configuration.kafka.catchUpOrder = order ?? .oldestFirst
    configuration.kafka.backfillTopic = topic("backfill_topic", in: section, &context)
    let isOldestFirst = order == .oldestFirst || section.value("order") == nil
    if configuration.kafka.backfillTopic != nil, isOldestFirst, let key = section.key("backfill_topic") {
      context.report(
        "kafka.catch_up.backfill_topic", "only with 'order: live-first': else frames wait in their place", at: key)
    }
  }

  /// Any librdkafka property but those that Camgate's promises rest on.
  private mutating func readProperties(_ node: YAMLNode, _ context: inout ReadingContext) {
    guard case .mapping(let pairs) = node.content else {
      return context.report("kafka.properties", "expected a block of keys, found \(node.kindName)", at: node)
    }
    for (key, value) in pairs {
      guard case .scalar(let name, _) = key.content else {
        context.report("kafka.properties", "a key must be a single word", at: key)
        continue
      }
      let path = "kafka.properties.\(name)"
      if let reason = ReservedProperties.reasons[name] {
        context.report(path, "Camgate sets this property itself: \(reason)", at: key)
      } else if let other = SecurityReader.contradicts(name, configuration.kafka) {
        context.report(path, "\(other) says this already; leave one out", at: key)
      } else if configuration.kafka.properties.contains(where: { $0.name == name }) {
        context.report(path, "given twice", at: key)
      } else if let text = SourceText.isSecret(key: name)
        ? SecretReader.read(value, key: key, path: path, &context) : Section.text(of: value, path: path, &context)
      {
        configuration.kafka.properties.append(
          Configuration.Property(name: name, value: text, nameMark: key.start))
      }
    }
  }

  private mutating func readCameras(_ top: Section, _ context: inout ReadingContext) {
    guard let node = top.value("cameras") else { return }
    guard case .sequence(let items) = node.content, !items.isEmpty else {
      let help = if case .sequence = node.content { "" } else { ", each of which begins with '- '" }
      return context.report("cameras", "expected a list with at least one camera\(help)", at: node)
    }
    var lines: [CameraName: Int] = [:]
    for (index, item) in items.enumerated() {
      guard let camera = CameraReader.read(item, path: "cameras[\(index)]", lines: &lines, &context) else { continue }
      configuration.cameras.append(camera)
    }
  }

  private mutating func readLog(_ node: YAMLNode, _ context: inout ReadingContext) {
    let section = Section(node, path: "log", schemaPath: "log", context: &context)
    configuration.log.level = section.word("level", &context) ?? configuration.log.level
    configuration.log.format = section.word("format", &context) ?? configuration.log.format
  }
}

/// A legal Kafka topic name (Kafka's Topic.java): up to 249 letters, digits, `.`, `_` and `-`.
func topic(_ name: String, in section: Section, _ context: inout ReadingContext) -> String? {
  section.read(name, "a topic's name (1 to 249 of A-Z, a-z, 0-9, '.', '_' and '-')", &context) { text in
    isWord(text, limit: 249) && text != "." && text != ".." ? text : nil
  }
}

/// Whether `text` has 1 to `limit` of the characters that names may have.
private func isWord(_ text: String, limit: Int) -> Bool {
  (1...limit).contains(text.utf8.count)
    && text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
}

/// `host:port` with 9092 where the port is missing; IPv6 addresses stand in brackets. nil when it is neither.
package func brokerAddress(_ text: String) -> String? {
  let trimmed = text.drop { $0 == " " }
  let isBracketed = trimmed.first == "["
  let hostEnd =
    isBracketed ? trimmed.firstIndex(of: "]").map { trimmed.index(after: $0) } : trimmed.firstIndex(of: ":")
  let host = trimmed[..<(hostEnd ?? trimmed.endIndex)]
  let isHost = host.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ":"): isBracketed
    default: false
    }
  }
  guard isHost, !host.isEmpty, host.first != "-", !isBracketed || hostEnd != nil else { return nil }
  let rest = trimmed[host.endIndex...]
  if rest.isEmpty { return host + ":9092" }
  guard rest.first == ":", let port = UInt16(rest.dropFirst()), port > 0 else { return nil }
  return "\(host):\(port)"
}

/// Whether `broker`, as `brokerAddress` gives it, is this machine itself (RFC 6761, 6.3; RFC 1122, 3.2.1.3; RFC 4291).
package func isLoopback(_ broker: String) -> Bool {
  let host = broker.prefix { $0 != "]" }.hasPrefix("[") ? broker.prefix { $0 != "]" } : broker.prefix { $0 != ":" }
  let isAddress = host.allSatisfy { $0.isNumber || $0 == "." } && host.split(separator: ".").count == 4
  return ["localhost", "localhost.", "[::1"].contains(host.lowercased()) || isAddress && host.hasPrefix("127.")
}

/// What would have been right instead of `text`, which is no broker's address.
private func brokerRemedy(_ text: Substring) -> String {
  let trimmed = text.drop { $0 == " " }
  if trimmed.first == "-" { return "an item of a list begins with '- ': a space is missing after the dash" }
  if isBareIPv6(trimmed) { return "an IPv6 address needs brackets and quotes: '[::1]:9092'" }
  return "host:port, for example kafka-1:9092"
}

/// Whether this is an IPv6 address without brackets, with or without a port.
func isBareIPv6(_ text: Substring) -> Bool {
  text.count { $0 == ":" } >= 2 && text.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
}
