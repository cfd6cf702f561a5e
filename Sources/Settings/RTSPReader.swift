import Frames
import Posix

// What only RTSP cameras have: an address on the network, a login, a transport, a certificate.

enum RTSPReader {
  private enum Authentication: String, CaseIterable {
    case digest, basic
  }

  /// FFmpeg keeps `user:password`, percent-encoded, in 128 bytes with their end (libavformat/rtsp.h, RTSPState.auth) and
  /// cuts off what is longer; the camera would see a wrong password.
  static let longestLogin = 127

  static func read(
    _ url: String, _ section: Section, at node: YAMLNode, _ context: inout ReadingContext
  ) -> CameraDescription.Source? {
    let path = section.path(of: "url")
    let scheme = String(url.prefix { $0 != ":" })
    guard url.hasPrefix(scheme + "://") else {
      context.report(path, "expected \(scheme)://HOST/PATH", at: node)
      return nil
    }
    let rest = url.dropFirst(scheme.count + 3)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let at = authority.lastIndex(of: "@")
    let hostAndPath = at.map { rest[rest.index(after: $0)...] } ?? rest
    guard isHost(hostAndPath.prefix { $0 != "/" && $0 != "?" }), !rest.contains(where: \.isWhitespace) else {
      context.report(path, mistake(in: rest, scheme: scheme), at: node)
      return nil
    }
    if at == nil, let slash = slashInLogin(rest) {
      context.report(path, "\(slash); without a login this is right as it is", at: node, severity: .warning)
    }
    var login = readLogin(section, &context)
    if let at {
      if login != nil || section.value("username") != nil {
        context.report(path, "the login is given twice, in the url and in username", at: node)
      }
      context.report(
        path, "a login in the url is better in username and password_file", at: node, severity: .warning)
      let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 1 {
        context.report(path, "a username without a password; with a colon after it the password is empty", at: node)
      }
      if case .scalar(let text, _) = node.content, !text.contains("${") { context.holdsSecret = true }
      login = CameraDescription.Login(
        username: PercentEncoding.decode(parts[0]),
        password: parts.count > 1 ? PercentEncoding.decode(parts[1]) : "")
    }
    let auth: Authentication = section.word("auth", &context) ?? .digest
    if login == nil, auth == .basic, let key = section.key("auth") {
      context.report(section.path(of: "auth"), "is for a login, and there is no login", at: key)
    }
    login?.allowsBasic = auth == .basic
    if let login { context.secrets.append(ReadSecret(text: login.password, username: login.username)) }
    if let login, login.encodedByteCount > longestLogin {
      context.report(
        section.key("username") == nil ? path : section.path(of: "username"),
        "user name and password are too long for RTSP: \(login.encodedByteCount) bytes when percent-encoded, at most "
          + "\(longestLogin) are sent", at: section.key("username") ?? node)
    }
    var tls = CameraDescription.TLS()
    if let node = section.value("tls") { tls = readTLS(node, path: section.path(of: "tls"), &context) }
    return .rtsp(
      url: "\(scheme)://" + hostAndPath, login: login, transport: section.word("transport", &context) ?? .tcp, tls: tls)
  }

  private static func readTLS(
    _ node: YAMLNode, path: String, _ context: inout ReadingContext
  ) -> CameraDescription.TLS {
    let section = Section(node, path: path, schemaPath: "cameras[].tls", context: &context)
    var tls = CameraDescription.TLS()
    tls.verifies = section.truth("verify", &context) ?? true
    tls.authorityFile = section.file("ca", &context)
    return tls
  }

  /// What is wrong with an address, its scheme left out: one of the common mistakes, if it is one.
  private static func mistake(in rest: Substring, scheme: String) -> String {
    if let space = rest.unicodeScalars.first(where: \.properties.isWhitespace) {
      let name = StrangeSpace.name(of: space) ?? "a space"
      return "\(name) in the address; write it as \(PercentEncoding.encode(String(space)))"
    }
    if let slash = slashInLogin(rest) { return slash }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
    if isBareIPv6(host) { return "an IPv6 address needs brackets: \(scheme)://[ADDRESS]:PORT/PATH" }
    if host.first == "[", !host.contains("]") { return "the bracket of the IPv6 address is not closed" }
    return "expected \(scheme)://HOST[:PORT]/PATH; a login belongs in username and password_file"
  }

  /// What to say of an address that has its `@` after a `/` or `?`: those of a login have to be encoded.
  private static func slashInLogin(_ rest: Substring) -> String? {
    guard let end = rest.firstIndex(where: { "/?".contains($0) }), let at = rest.firstIndex(of: "@"), end < at,
      rest[..<end].contains(":")
    else { return nil }
    let (character, encoded) = (rest[end], PercentEncoding.encode(String(rest[end])))
    return "'\(character)' ends the host: in a password write \(encoded), or use username and password_file"
  }

  /// `host` or `host:port`; IPv6 addresses stand in brackets.
  private static func isHost(_ text: Substring) -> Bool {
    let hostEnd = text.first == "[" ? text.firstIndex(of: "]").map { text.index(after: $0) } : text.firstIndex(of: ":")
    let (host, rest) = (text[..<(hostEnd ?? text.endIndex)], text[(hostEnd ?? text.endIndex)...])
    if host.isEmpty || (text.first == "[" && hostEnd == nil) { return false }
    return rest.isEmpty || (rest.first == ":" && (UInt16(rest.dropFirst()) ?? 0) > 0)
  }

  private static func readLogin(
    _ section: Section, _ context: inout ReadingContext
  ) -> CameraDescription.Login? {
    let username = section.text("username", &context)
    let password = section.password(&context)
    let hasPassword = section.contains("password") || section.value("password_file") != nil
    if section.contains("username") {
      _ = section.required("username", &context)
    } else if let key = section.key("password") ?? section.key("password_file") {
      context.report(section.path, "a password without a username", at: key)
    }
    if let key = section.key("username"), !hasPassword, !section.hasUnknownSecret {
      context.report(
        section.path(of: "username"), "has no password; give password_file, or password: '' when it is empty", at: key)
    }
    return username.map { CameraDescription.Login(username: $0, password: password ?? "") }
  }
}

extension CameraDescription.Login {
  /// Its length as `user:password` in a URL.
  fileprivate var encodedByteCount: Int {
    PercentEncoding.encode(username).utf8.count + 1 + PercentEncoding.encode(password).utf8.count
  }
}
