import Posix

// What of a dialogue may be given to strangers: no login, no answer to a challenge and nothing that one could be tried
// against, no address and no name of a host. The replay puts its own in their place: `{host}`, `{port}`, `{name}`.

/// Takes out of messages what belongs to one installation.
struct DialogueRedaction {
  /// Stands for the camera's authority while secrets are looked for: `{port}` would look like a password.
  private static let here = "camera.invalid:554"

  private let host: String
  /// The camera's address in numbers.
  private let address: String
  /// Path and query of the URL, in which there may be a login, and the path alone.
  private let paths: [String]
  private let secrets = Secrets()

  /// `url` is the camera's, `address` what its host turned out to be.
  init(url: String, address: String, login: (username: String, password: String)?) {
    let parts = URLParts(url[...])
    (host, self.address) = (parts?.host.lowercased() ?? "", address)
    let path = parts.map { String($0.path) } ?? ""
    paths = [path, String(path.prefix { $0 != "?" })].filter { $0.count > 1 }
    if let login {
      secrets.register(login.password, username: login.username)
      secrets.register(login.username)
    }
  }

  /// A message line by line; what is bound to break a picture's description (`a=`, `m=`) is left but for URLs and addresses.
  func text(of bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      if !result.isEmpty || line.startIndex > 0 { result.append(UInt8(ascii: "\n")) }
      let end = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      let text = String(decoding: end, as: UTF8.self)
      let shown = redacted(line: text)
      result += shown == text ? Array(end) : Array(shown.utf8)
      if end.count < line.count { result.append(UInt8(ascii: "\r")) }
    }
    return result
  }

  private func redacted(line: String) -> String {
    if line.hasPrefix("o=") { return "o=- 1 1 IN IP4 0.0.0.0" }
    for name in ["s", "i", "u", "e", "p"] where line.hasPrefix(name + "=") { return name + "=camera" }
    let name = line.prefix { $0 != ":" }.lowercased()
    if name.hasSuffix("authorization") { return line.prefix { $0 != ":" } + ": ***" }
    var text = withoutAddresses(withoutURLs(line))
    if name == "www-authenticate" {
      for word in ["realm", "nonce", "opaque"] {
        text = text.replacingValue(of: word, with: word == "realm" ? "camera" : "0")
      }
    }
    let isOfPictures = ["a=", "m=", "b=", "t=", "v=", "c="].contains { text.hasPrefix($0) }
    let masked = isOfPictures ? Secrets.maskingPatterns(in: text) : secrets.masked(text)
    return (masked.contains("***") ? masked : text).replacingEach(DialogueRedaction.here, with: "{host}:{port}")
  }

  /// Each URL with the host that plays it, or with a host that is nowhere.
  private func withoutURLs(_ line: String) -> String {
    var (result, rest) = ("", line[...])
    while let mark = rest.firstRange(of: "://") {
      let scheme = rest[..<mark].reversed().prefix { $0.isLetter }.reversed()
      result += rest[..<mark].dropLast(scheme.count)
      let url = rest[rest.index(mark, offsetBy: -scheme.count)...].prefix { !" \"'<>\t".contains($0) }
      rest = rest[url.endIndex...]
      guard let parts = URLParts(url) else {
        result += url
        continue
      }
      let isHere = parts.host.lowercased() == host || parts.host == address
      result += String(scheme) + (isHere ? "://\(DialogueRedaction.here)" : "://elsewhere.invalid")
      let known = paths.first { parts.path.hasPrefix($0) }
      result += known.map { "/{name}" + parts.path.dropFirst($0.count) } ?? String(parts.path)
    }
    return result + rest
  }

  /// Addresses in numbers (IPv4, IPv6, Ethernet) and the camera's name.
  private func withoutAddresses(_ line: String) -> String {
    var (result, rest) = ("", line[...])
    while let first = rest.first {
      let word = rest.prefix { $0.isASCII && ($0.isHexDigit || $0 == "." || $0 == ":") }
      if word.isEmpty {
        let plain = rest.prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
        result += plain.isEmpty ? String(first) : String(plain)
        rest = rest.dropFirst(max(1, plain.count))
        continue
      }
      rest = rest[word.endIndex...]
      // A word that only begins like a number goes on.
      let tail = rest.prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
      rest = rest[tail.endIndex...]
      result += tail.isEmpty ? replacement(of: word) : String(word) + tail
    }
    if host.count > 2, !host.allSatisfy({ $0.isNumber || $0 == "." }) {
      result = result.replacingEach(host, with: "{host}")
    }
    return result
  }

  private func replacement(of word: Substring) -> String {
    if word == address { return "{host}" }
    let groups = word.split(separator: ".", omittingEmptySubsequences: false)
    if groups.count == 4, groups.allSatisfy({ UInt8($0) != nil }) { return "0.0.0.0" }
    // `a=…:10.0.0.1`
    if groups.count == 4, let colon = word.lastIndex(of: ":") {
      return word[...colon] + replacement(of: word[word.index(after: colon)...])
    }
    let colons = word.count { $0 == ":" }
    if colons >= 5 || word.firstRange(of: "::") != nil { return "::" }
    return String(word)
  }

  /// An interleaved packet whose RTCP has lost all texts: SDES, APP, the reason of BYE (RFC 3550, 6.5 to 6.7). The
  /// lengths stay.
  static func packet(_ bytes: [UInt8]) -> [UInt8] {
    var (result, start) = (bytes, 4)
    while start + 8 <= bytes.count, (200...207).contains(bytes[start + 1]) {
      let end = min(bytes.count, start + 4 + 4 * (Int(bytes[start + 2]) << 8 + Int(bytes[start + 3])))
      if (202...204).contains(bytes[start + 1]), start + 8 < end {
        for index in (start + 8)..<end { result[index] = 0 }
      }
      start = end
    }
    return result
  }
}

/// Host and path of a URL that stands in a message, where `;` and `,` end it too.
struct URLParts: Equatable {
  var host: Substring
  /// Host with the port, as it stands there.
  var authority: Substring
  /// With the query.
  var path: Substring

  /// nil for what is no `scheme://host…`.
  init?(_ url: Substring) {
    guard let mark = url.firstRange(of: "://") else { return nil }
    let rest = url[url.index(mark, offsetBy: 3)...]
    let whole = rest.prefix { !"/?;,".contains($0) }
    authority = whole.lastIndex(of: "@").map { whole[whole.index(after: $0)...] } ?? whole
    path = rest[whole.endIndex...]
    if authority.first == "[", let end = authority.firstIndex(of: "]") {
      host = authority[authority.index(after: authority.startIndex)..<end]
    } else {
      host = authority.prefix { $0 != ":" }
    }
    if host.isEmpty { return nil }
  }

  /// As the host's part says; 554 (RFC 2326, 3.2) where it says nothing.
  var port: UInt16 {
    let end = authority.drop { $0 != "]" || authority.first != "[" }
    let text = (end.isEmpty ? authority : end).drop { $0 != ":" }.dropFirst()
    return UInt16(text) ?? 554
  }
}

extension StringProtocol {
  /// Where `text` first is.
  fileprivate func firstRange(of text: String) -> Index? {
    indices.first { self[$0...].hasPrefix(text) }
  }
}

extension String {
  /// All places of `text`, in whatever case, replaced.
  fileprivate func replacingEach(_ text: String, with other: String) -> String {
    var (result, rest) = ("", self[...])
    while !rest.isEmpty {
      let piece = rest.prefix(text.count)
      if piece.lowercased() == text {
        result += other
        rest = rest[piece.endIndex...]
      } else {
        result.append(rest.removeFirst())
      }
    }
    return result
  }

  /// The value of `name="…"`, replaced.
  fileprivate func replacingValue(of name: String, with value: String) -> String {
    guard let start = firstRange(of: name + "=\"") else { return self }
    let content = index(start, offsetBy: name.count + 2)
    let rest = self[content...].drop { $0 != "\"" }
    return String(self[..<content]) + value + (rest.isEmpty ? "\"" : String(rest))
  }
}
