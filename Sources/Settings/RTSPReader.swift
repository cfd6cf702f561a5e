import Frames
import Posix

// What only RTSP cameras have: an address on the network, a login, a transport, a certificate.

enum RTSPReader {
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
    guard isHost(hostAndPath.prefix { $0 != "/" && $0 != "?" }), !hostAndPath.contains(where: \.isWhitespace) else {
      context.report(
        path, "expected \(scheme)://HOST[:PORT]/PATH; a login belongs in username and password_file", at: node)
      return nil
    }
    var login = readLogin(section, &context)
    if let at {
      if login != nil || section.value("username") != nil {
        context.report(path, "the login is given twice, in the url and in username", at: node)
      }
      context.report(
        path, "a login in the url is better in username and password_file", at: node, severity: .warning)
      let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      login = CameraDescription.Login(
        username: PercentEncoding.decode(parts[0]),
        password: parts.count > 1 ? PercentEncoding.decode(parts[1]) : "")
    }
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
    tls.verifies = section.read("verify", "true or false", &context) { ["true": true, "false": false][$0] } ?? true
    if let file = section.text("ca", &context), let node = section.value("ca") {
      let location = file.hasPrefix("/") ? file : context.directory + file
      do throws(SystemError) {
        _ = try Files.read(location, limit: 1 << 20)
        tls.authorityFile = location
      } catch {
        context.report(
          section.path(of: "ca"), "the file '\(location)' cannot be read: \(describe(errno: error.code))", at: node)
      }
    }
    return tls
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
    var password = section.text("password", &context)
    if let node = section.value("password_file"), let file = section.text("password_file", &context) {
      let path = section.path(of: "password_file")
      if section.value("password") != nil { context.report(path, "password is given too; leave one out", at: node) }
      let location = file.hasPrefix("/") ? file : context.directory + file
      do throws(SystemError) {
        let bytes = try Files.read(location, limit: 4_096)
        password = String(decoding: bytes, as: UTF8.self)
        while password?.last?.isNewline == true { password?.removeLast() }
        if password?.isEmpty == true { context.report(path, "the file '\(location)' is empty", at: node) }
      } catch {
        context.report(path, "the file '\(location)' cannot be read: \(describe(errno: error.code))", at: node)
      }
    }
    if username == nil, section.value("username") == nil,
      let key = section.key("password") ?? section.key("password_file")
    {
      context.report(section.path, "a password without a username", at: key)
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
