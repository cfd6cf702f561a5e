// Percent-encoding of logins inside URLs (RFC 3986, 2.1), and hiding them.

/// Encodes, decodes and hides the user-information part of URLs.
package enum PercentEncoding {
  /// `text` with all bytes but the unreserved ones (letters, digits, `-._~`) as `%XX`.
  package static func encode(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        result += "%" + (digits.count == 1 ? "0" : "") + digits
      }
    }
    return result
  }

  /// `encoded`, which `encode` made, with small letters in its escapes: others write them so.
  static func lowercasingEscapes(in encoded: String) -> String {
    let parts = encoded.split(separator: "%", omittingEmptySubsequences: false)
    return parts[0] + parts.dropFirst().map { "%" + $0.prefix(2).lowercased() + $0.dropFirst(2) }.joined()
  }

  /// `text` with `%XX` decoded; a `%` that two hexadecimal digits do not follow stays as it is.
  package static func decode(_ text: some StringProtocol) -> String {
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
        let high = Character(Unicode.Scalar(bytes[index + 1])).hexDigitValue,
        let low = Character(Unicode.Scalar(bytes[index + 2])).hexDigitValue
      {
        result.append(UInt8(high << 4 | low))
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// `text` in which what may be a login is replaced by `***`: that of `scheme://login@host`, `name:password@host`
  /// without a scheme, and the value of a URL's `password=…`. What may be a login reaches to the last `@` in front of the
  /// next space or double quote, so that a password with an `@`, a `/` or an apostrophe in it is hidden whole; a path
  /// with an `@` in it hides the host too, which does less harm.
  package static func maskingLogins(in text: String) -> String {
    var result: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let word = rest.prefix { !" \t\r\n\"<>".utf8.contains($0) }
      result += maskingPasswordParameters(in: maskingLogin(in: word))
      rest = rest[word.endIndex...]
      if let separator = rest.popFirst() { result.append(separator) }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// One word, up to its last `@`: from behind `://`, or from its beginning when it has a colon as `name:password` has.
  private static func maskingLogin(in word: ArraySlice<UInt8>) -> [UInt8] {
    let slashes = Array("://".utf8)
    guard let at = word.lastIndex(of: UInt8(ascii: "@")), !word.starts(with: "test:".utf8) else { return Array(word) }
    let scheme = word.indices.first { $0 < at && word[$0...].starts(with: slashes) }
    let begin = word.firstIndex { !"'[{(".utf8.contains($0) } ?? at
    let name = begin < at && word[begin..<at].contains(UInt8(ascii: ":")) ? begin : nil
    guard let start = scheme.map({ $0 + slashes.count }) ?? name else { return Array(word) }
    return Array(word[..<start]) + Array("***".utf8) + Array(word[at...])
  }

  /// One word, with the values of parameters that are called like a password, up to the next `&`: some cameras want
  /// their login in the path.
  private static func maskingPasswordParameters(in word: [UInt8]) -> [UInt8] {
    let names = ["password=", "passwd=", "pass=", "pwd=", "token="].map { Array($0.utf8) }
    let lowercased = word.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    var result: [UInt8] = []
    var index = 0
    while index < word.count {
      guard let name = names.first(where: { lowercased[index...].starts(with: $0) }) else {
        result.append(word[index])
        index += 1
        continue
      }
      result += word[index..<index + name.count] + "***".utf8
      index = word[index...].firstIndex(of: UInt8(ascii: "&")) ?? word.count
    }
    return result
  }
}
