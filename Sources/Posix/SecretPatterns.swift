// What looks like a secret although none was registered: logins in URLs, parameters that are called like a secret, and
// the header Authorization. What may be a part of one is hidden rather than shown.

/// Recognises secrets by what stands around them.
package enum SecretPatterns {
  /// Whether something of this name holds a secret: `password`, `client.secret`, `auth`, also as a part of a longer name,
  /// but not the name of a file with one.
  package static func isSecret(name: some StringProtocol) -> Bool {
    let name = name.lowercased()
    if name.hasSuffix("_file") || name.hasSuffix(".location") { return false }
    let parts = ["pass", "pwd", "psw", "kennwort", "secret", "token", "jaas", "credential", "signature", "apikey"]
    if parts.contains(where: name.contains) { return true }
    let words = name.split { !$0.isLetter && !$0.isNumber }
    return words.contains { ["auth", "authorization", "pw", "psk", "login"].contains($0) }
      || zip(words, words.dropFirst()).contains { ["api", "access", "private"].contains($0) && $1 == "key" }
      || name.contains("ssl.key.pem") || name.contains("oauthbearer.config")
  }

  /// Marks what has to be hidden of `scalars`.
  static func mark(_ scalars: [Unicode.Scalar], _ hidden: inout [Bool]) {
    var start = 0
    while start < scalars.count {
      let word = scalars[start...].prefix { !isDelimiter($0) }
      markLogin(in: word, of: scalars, &hidden)
      markParameters(in: word, of: scalars, &hidden)
      markAuthorization(in: word, of: scalars, &hidden)
      start = word.endIndex + 1
    }
  }

  private static func isDelimiter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case " ", "\t", "\r", "\n", "\"", "<", ">": true
    default: false
    }
  }

  private static func isBlank(_ scalar: Unicode.Scalar) -> Bool { " \t\r\n".unicodeScalars.contains(scalar) }

  private static func hide(_ range: Range<Int>, _ hidden: inout [Bool]) { for index in range { hidden[index] = true } }

  /// A word up to its last `@`: from behind `://`, or from its beginning when it has a colon as `name:password` has. Up to
  /// the last one, so that a password with an `@`, a `/` or an apostrophe in it is hidden whole; a path with an `@` in it
  /// hides the host too, which does less harm.
  private static func markLogin(
    in word: ArraySlice<Unicode.Scalar>, of scalars: [Unicode.Scalar], _ hidden: inout [Bool]
  ) {
    let slashes = Array("://".unicodeScalars)
    let at = word.lastIndex(of: "@")
    let scheme = word.indices.first { $0 < at ?? .max && word[$0] == ":" && word[$0...].starts(with: slashes) }
    if let start = scheme.map({ $0 + slashes.count }) {
      if let end = at ?? endOfCutLogin(in: word[start...], of: scalars) { hide(start..<end, &hidden) }
    } else if let at, !word.starts(with: "test:".unicodeScalars) {
      let start = word.firstIndex { !"'[{(".unicodeScalars.contains($0) } ?? at
      if start < at, word[start..<at].contains(":") { hide(start..<at, &hidden) }
    }
  }

  /// Where the login ends that `authority`, what is behind a URL's `://`, begins with although the word has no `@`: the
  /// password holds a space, or what followed it was cut off. It is one when no port is behind the colon.
  private static func endOfCutLogin(in authority: ArraySlice<Unicode.Scalar>, of scalars: [Unicode.Scalar]) -> Int? {
    let host = authority.prefix { !"/?#".unicodeScalars.contains($0) }
    guard let colon = host.firstIndex(of: ":"), !host[..<colon].contains("[") else { return nil }
    let port = host[(colon + 1)...].prefix { !"'),;]}".unicodeScalars.contains($0) }
    let isAddress =
      host.allSatisfy { $0 == ":" || $0.properties.isASCIIHexDigit }
      || host[..<colon].contains(".") && host[..<colon].allSatisfy { $0 == "." || ("0"..."9").contains($0) }
    if port.isEmpty || port.allSatisfy({ ("0"..."9").contains($0) }) || isAddress { return nil }
    let line = scalars[authority.endIndex...].prefix { $0 != "\n" }
    return line.firstIndex(of: "@") ?? authority.endIndex
  }

  /// The value of `name=`, where the name is that of a secret: all that follows up to the next space, since whatever is
  /// called the end of a value may be a part of a password. In quotes up to the closing one.
  private static func markParameters(
    in word: ArraySlice<Unicode.Scalar>, of scalars: [Unicode.Scalar], _ hidden: inout [Bool]
  ) {
    for index in word.indices where word[index] == "=" {
      let name = word[..<index].reversed().prefix { isNameCharacter($0) }.reversed()
      guard isSecret(name: String(String.UnicodeScalarView(name))) else { continue }
      var value = scalars[(index + 1)...]
      if value.first == "\"" {
        value = value.prefix { $0 != "\n" }
        hide(index + 1..<(value.dropFirst().firstIndex(of: "\"").map { $0 + 1 } ?? value.endIndex), &hidden)
      } else {
        var end = value.prefix { !isBlank($0) }.endIndex
        let scheme = String(String.UnicodeScalarView(scalars[(index + 1)..<end])).lowercased()
        // `auth=Bearer TOKEN`
        if ["bearer", "basic", "digest"].contains(scheme), end < scalars.count, scalars[end] == " " {
          end = scalars[(end + 1)...].prefix { !isBlank($0) }.endIndex
        }
        hide(index + 1..<end, &hidden)
      }
      return
    }
  }

  private static func isNameCharacter(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isAlphabetic || scalar.properties.numericType != nil || "._-[]".unicodeScalars.contains(scalar)
  }

  /// What stands behind `Authorization:`, up to the end of the line (RFC 9110, 11.6.2).
  private static func markAuthorization(
    in word: ArraySlice<Unicode.Scalar>, of scalars: [Unicode.Scalar], _ hidden: inout [Bool]
  ) {
    let name = Array("authorization".unicodeScalars)
    guard word.count >= name.count else { return }
    for start in word.indices.dropLast(name.count - 1)
    where word[start...].prefix(name.count).elementsEqual(name, by: { $0.properties.lowercaseMapping == String($1) }) {
      let line = scalars[(start + name.count)...].prefix { $0 != "\n" }
      let colon = line.drop { $0 == "\"" || $0 == "'" || $0 == " " }
      guard colon.first == ":" else { continue }
      let value = colon.dropFirst().drop { " \"'".unicodeScalars.contains($0) }
      // What was hidden before may have something of ours behind it.
      if !value.starts(with: "***".unicodeScalars) { hide(value.startIndex..<value.endIndex, &hidden) }
      return
    }
  }
}
