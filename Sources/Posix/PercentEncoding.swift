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

  /// `text` in which the login of every `scheme://login@host` is replaced by `***`. What may be a
  /// login reaches to the last `@` in front of the next space or double quote, so that a password with an `@`, a `/` or
  /// an apostrophe in it is hidden whole; a path with an `@` in it hides the host too, which does less harm.
  package static func maskingLogins(in text: String) -> String {
    let bytes = Array(text.utf8)
    let mark = Array("://".utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      guard bytes[index...].starts(with: mark) else {
        result.append(bytes[index])
        index += 1
        continue
      }
      let start = index + mark.count
      let end = bytes[start...].firstIndex { " \t\r\n\"<>".utf8.contains($0) } ?? bytes.count
      result += mark
      if let at = bytes[start..<end].lastIndex(of: UInt8(ascii: "@")) {
        result += "***".utf8
        index = at
      } else {
        index = start
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
