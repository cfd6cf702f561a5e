import Posix

// `kafka.tls` and `kafka.sasl`: whom to trust, and who we are.

enum SecurityReader {
  static func readTLS(_ node: YAMLNode, _ context: inout ReadingContext) -> Configuration.TLS {
    let section = Section(node, path: "kafka.tls", schemaPath: "kafka.tls", context: &context)
    var tls = Configuration.TLS()
    tls.authority = section.file("ca", &context)
    tls.certificate = section.file("certificate", &context)
    tls.key = section.file("key", &context, isSecret: true)
    tls.verifies = section.truth("verify", &context) ?? true
    for (name, other) in [("certificate", "key"), ("key", "certificate")] {
      if let key = section.key(name), section.value(other) == nil {
        context.report(section.path(of: name), "is given without '\(other)'; a client certificate needs both", at: key)
      }
    }
    if !tls.verifies, let key = section.key("verify") {
      let message = "anybody on the way can pose as the broker; give the CA in kafka.tls.ca instead"
      context.report(section.path(of: "verify"), message, at: key, severity: .warning)
    }
    return tls
  }

  static func readSASL(_ node: YAMLNode, _ context: inout ReadingContext) -> Configuration.SASL? {
    let section = Section(node, path: "kafka.sasl", schemaPath: "kafka.sasl", context: &context)
    guard section.required("mechanism", &context) != nil else { return nil }
    guard let mechanism: Configuration.SASL.Mechanism = section.word("mechanism", &context) else { return nil }
    let isToken = mechanism == .oauthBearer
    for name in isToken ? ["username", "password", "password_file"] : ["token_file", "token_command"] {
      if let key = section.key(name) {
        context.report(section.path(of: name), "means nothing for \(mechanism.rawValue)", at: key)
      }
    }
    return isToken ? readToken(section, &context) : readPassword(mechanism, section, &context)
  }

  private static func readToken(_ section: Section, _ context: inout ReadingContext) -> Configuration.SASL? {
    switch (section.value("token_file"), section.value("token_command")) {
    case (_?, nil): return section.file("token_file", &context, isSecret: true).map { .tokenFile($0) }
    case (nil, _?): return section.text("token_command", &context).map { .tokenCommand($0) }
    case (nil, nil):
      context.report(section.path, "OAUTHBEARER needs token_file or token_command", at: section.node.firstKey)
    case (_?, let command?):
      context.report(section.path(of: "token_command"), "token_file is given too; leave one out", at: command)
    }
    return nil
  }

  private static func readPassword(
    _ mechanism: Configuration.SASL.Mechanism, _ section: Section, _ context: inout ReadingContext
  ) -> Configuration.SASL? {
    let username = section.text("username", &context)
    let password = section.password(&context)
    let hasPassword = section.contains("password") || section.value("password_file") != nil
    if section.value("username") == nil || !hasPassword {
      let message = "\(mechanism.rawValue) needs username and password_file (or password)"
      context.report(section.path, message, at: section.node.firstKey)
    }
    guard let username, let password else { return nil }
    context.secrets.append(ReadSecret(text: password, username: username))
    return .password(mechanism, username: username, password: password)
  }

  /// Whether whoever listens on the network reads the password or the token: PLAIN and OAUTHBEARER send it as it is, and
  /// only TLS hides it. What stays on this machine nobody else hears.
  static func warnOfReadableLogin(_ section: Section, _ kafka: Configuration.Kafka, _ context: inout ReadingContext) {
    if kafka.tls != nil || kafka.brokers.allSatisfy(isLoopback) { return }
    func warn(_ what: String, _ path: String, at node: YAMLNode, remedy: String) {
      context.report(path, "the \(what) is readable on the network; set \(remedy)", at: node, severity: .warning)
    }
    if let key = section.key("sasl") {
      switch kafka.sasl {
      case .password(.plain, _, _)?: warn("password", "kafka.sasl", at: key, remedy: "kafka.tls")
      case .tokenFile?, .tokenCommand?: warn("token", "kafka.sasl", at: key, remedy: "kafka.tls")
      default: break
      }
    }
    guard case .mapping(let pairs)? = section.value("properties")?.content else { return }
    func property(_ names: String...) -> (key: YAMLNode, value: String)? {
      for (key, value) in pairs {
        if case .scalar(let name, _) = key.content, case .scalar(let text, _) = value.content, names.contains(name) {
          return (key, text.lowercased())
        }
      }
      return nil
    }
    guard let security = property("security.protocol"), security.value == "sasl_plaintext" else { return }
    let what = ["plain": "password", "oauthbearer": "token"][property("sasl.mechanism", "sasl.mechanisms")?.value ?? ""]
    guard let what else { return }
    warn(what, "kafka.properties.security.protocol", at: security.key, remedy: "it to sasl_ssl")
  }

  /// librdkafka properties that would say the same once more.
  static func contradicts(_ property: String, _ kafka: Configuration.Kafka) -> String? {
    if kafka.tls != nil, property == "security.protocol" || property.hasPrefix("ssl.") { return "kafka.tls" }
    if kafka.tls != nil, property == "enable.ssl.certificate.verification" { return "kafka.tls" }
    if kafka.sasl != nil, property == "security.protocol" || property.hasPrefix("sasl.") { return "kafka.sasl" }
    return nil
  }
}

extension Section {
  /// The path of a file that can be read, relative to the settings file.
  func file(_ name: String, _ context: inout ReadingContext, isSecret: Bool = false) -> String? {
    guard let node = value(name), let file = text(name, &context) else { return nil }
    let location = context.location(of: file)
    if isSecret { context.secretFiles.append(location) }
    do throws(SystemError) { _ = try Files.read(location, limit: 1 << 20) } catch {
      let reason = context.reason(error, for: location)
      context.report(path(of: name), "the file '\(location)' cannot be read: \(reason)", at: node)
    }
    return location
  }

  /// The value of `password`, or the content of `password_file` without its line end.
  func password(_ context: inout ReadingContext) -> String? {
    var password = secret("password", &context)
    guard let node = value("password_file"), let file = text("password_file", &context) else { return password }
    let path = path(of: "password_file")
    if value("password") != nil { context.report(path, "password is given too; leave one out", at: node) }
    let location = context.location(of: file)
    context.secretFiles.append(location)
    do throws(SystemError) {
      password = try Files.readPassword(location)
      if password?.isEmpty == true { context.report(path, "the file '\(location)' is empty", at: node) }
    } catch {
      context.report(path, "the file '\(location)' cannot be read: \(context.reason(error, for: location))", at: node)
    }
    return password
  }
}
