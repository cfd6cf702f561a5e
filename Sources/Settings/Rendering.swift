import Frames
import Posix

// The effective settings as `camgate check` prints them: YAML that could be read again, secrets masked.

extension Configuration {
  /// All settings with their values, defaults included; secrets and logins as `***`.
  package var rendered: String { rendered { $0 } }

  /// The same, each value as `shown` gives it: a secret that is repeated in one has to be found before quoting changes it.
  package func rendered(showing shown: @escaping (String) -> String) -> String {
    Rendering(settings: self, shown: shown).text
  }
}

private struct Rendering {
  let settings: Configuration
  let shown: (String) -> String

  private func quoted(_ text: String) -> String { Settings.quoted(shown(text)) }

  var text: String {
    let kafka = settings.kafka
    var lines = ["gateway: \(quoted(settings.gateway))", "", "kafka:"]
    lines.append("  brokers: [\(kafka.brokers.map(quoted).joined(separator: ", "))]")
    lines.append("  topic: \(quoted(kafka.topic))")
    lines.append("  message_max_bytes: \(Units.text(size: kafka.messageMaxBytes))")
    lines += ["  catch_up:", "    order: \(kafka.catchUpOrder.rawValue)"]
    lines.append("    max_rate: \(kafka.catchUpRate.map { Units.text(rate: $0) } ?? "unlimited")")
    if let topic = kafka.backfillTopic { lines.append("    backfill_topic: \(quoted(topic))") }
    lines.append("  resume: \(kafka.resume.rawValue)")
    lines.append("  resume_quiet: \(Units.text(duration: kafka.resumeQuiet))")
    lines += renderedSecurity
    lines.append("  properties:\(kafka.properties.isEmpty ? " {}" : "")")
    for property in kafka.properties {
      let value = SourceText.isSecret(key: property.name) ? "***" : property.value
      lines.append("    \(quoted(property.name)): \(quoted(value))")
    }
    lines += ["", "buffer:"] + rendered(settings.buffer) + ["", "cameras:"]
    for camera in settings.cameras { lines += rendered(camera) }
    lines += ["", "stop_timeout: \(Units.text(duration: settings.stopTimeout))"]
    lines += ["sandbox: \(settings.sandbox.rawValue)", "log:"]
    lines += ["  level: \(settings.log.level.rawValue)", "  format: \(settings.log.format.rawValue)"]
    lines += renderedSystem
    return lines.joined(separator: "\n")
  }

  private var renderedSystem: [String] {
    let (system, network) = (settings.system, settings.system.network)
    let list = { (items: [String]) in items.isEmpty ? nil : "[\(items.map(quoted).joined(separator: ", "))]" }
    let rows = [
      ("  hostname", system.hostname.map(quoted)), ("  network", ""), ("    interface", network.interface.map(quoted)),
      ("    address", quoted(network.address ?? "dhcp")), ("    router", network.router),
      ("    dns", list(network.nameServers)), ("    vlan", network.vlan.map { "\($0)" }), ("  ntp", list(system.ntp)),
    ]
    return ["system:"] + rows.compactMap { name, value in value.map { $0.isEmpty ? "\(name):" : "\(name): \($0)" } }
  }

  private var renderedSecurity: [String] {
    let kafka = settings.kafka
    var lines: [String] = []
    if let tls = kafka.tls {
      let files = [("ca", tls.authority), ("certificate", tls.certificate), ("key", tls.key)]
      lines.append("  tls:")
      lines += files.compactMap { name, file in file.map { "    \(name): \(quoted($0))" } }
      lines.append("    verify: \(tls.verifies)")
    }
    switch kafka.sasl {
    case .password(let mechanism, let username, _)?:
      lines += ["  sasl:", "    mechanism: \(mechanism.rawValue)", "    username: \(quoted(username))"]
      lines.append("    password: \"***\"")
    case .tokenFile(let file)?:
      lines += ["  sasl:", "    mechanism: OAUTHBEARER", "    token_file: \(quoted(file))"]
    case .tokenCommand?:
      lines += ["  sasl:", "    mechanism: OAUTHBEARER", "    token_command: \"***\""]
    case nil: break
    }
    return lines
  }

  private func rendered(_ buffer: Configuration.Buffer) -> [String] {
    let need = Units.text(size: MemoryNeed.bytes(settings.cameras, hasRing: buffer.directory != nil))
    var lines = [
      "  # While neither Kafka nor the disk takes anything for 5 s these cameras need \(need), at 8 Mbit/s for each"
    ]
    lines.append("  # (of JPEG from a device 1 bit a pixel): assumed; `camgate probe` measures.")
    lines.append("  memory: \(Units.text(size: buffer.memory))")
    if let directory = buffer.directory { lines.append("  directory: \(quoted(directory))") }
    lines.append("  size: \(buffer.size.map { Units.text(size: $0) } ?? "auto")")
    lines.append("  segment: \(Units.text(size: buffer.segment))")
    lines.append("  write: \(buffer.write.rawValue)")
    lines.append("  spill_after: \(Units.text(duration: buffer.spillAfter))")
    lines.append("  sync_interval: \(Units.text(duration: buffer.syncInterval))")
    lines.append("  sync_bytes: \(Units.text(size: buffer.syncBytes))")
    lines.append("  thin_above: \(buffer.thinAbove.map { "\($0)%" } ?? "never")")
    return lines
  }

  private func rendered(_ camera: Configuration.Camera) -> [String] {
    var lines = ["  - name: \(camera.description.name)"]
    switch camera.description.source {
    case .rtsp(let url, let login, let transport, let tls):
      lines.append("    url: \(quoted(Secrets.maskingPatterns(in: url)))")
      if let login {
        lines.append("    username: \(quoted(login.username))")
        lines.append("    password: \"***\"")
      }
      lines.append("    auth: \(login?.allowsBasic == true ? "basic" : "digest")")
      lines.append("    transport: \(transport.rawValue)")
      if url.hasPrefix("rtsps:") {
        lines.append("    tls:")
        if let file = tls.authorityFile { lines.append("      ca: \(quoted(file))") }
        lines.append("      verify: \(tls.verifies)")
      }
    case .file(let path, let loops):
      lines.append("    url: \(quoted("file:" + path))")
      lines.append("    loop: \(loops)")
    case .test(let width, let height, let fps):
      lines.append("    url: test:\(width)x\(height)@\(fps)")
    case .device(let device):
      lines.append("    device: \(quoted(device.path))")
      if device.format != DeviceFormat() { lines.append("    format: \(device.format)") }
      if !device.controls.isEmpty { lines.append("    controls:") }
      for control in device.controls { lines.append("      \(quoted(control.name)): \(quoted(control.value))") }
    }
    let timeouts = camera.description.timeouts
    lines.append("    timeouts:")
    lines.append("      connect: \(Units.text(duration: timeouts.connect))")
    lines.append("      first_frame: \(Units.text(duration: timeouts.firstFrame))")
    lines.append("      next_frame: \(Units.text(duration: timeouts.nextFrame))")
    let limits = camera.description.limits
    lines.append("    limits:")
    lines.append("      bitrate: \(Units.text(rate: limits.bitrate))")
    lines.append("      fps: \(limits.fps)")
    lines.append("      frame: \(Units.text(size: limits.frame))")
    lines.append("    topic: \(quoted(camera.topic ?? settings.kafka.topic))")
    return lines
  }
}

/// A double-quoted YAML scalar where plain would not do.
func quoted(_ text: String) -> String {
  let isPlain = text.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"),
      UInt8(ascii: "/"), UInt8(ascii: ":"):
      true
    default: false
    }
  }
  let isNull = ["null", "~", ""].contains(text.lowercased())
  if isPlain && !isNull && text.utf8.last != UInt8(ascii: ":") && text.utf8.first != UInt8(ascii: "-") {
    return text
  }
  // A JSON string is a double-quoted YAML scalar.
  return JSONObject.quoted(text).split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$")
}
