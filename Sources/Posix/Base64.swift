// Base64 (RFC 4648, section 4), without Foundation.

/// Base64 (RFC 4648, 4), without padding.
package enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".unicodeScalars)

  /// The characters for `bytes`.
  static func encode(_ bytes: [UInt8]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity((bytes.count * 4 + 2) / 3)
    var (bits, count): (UInt32, UInt32) = (0, 0)
    for byte in bytes {
      (bits, count) = (bits << 8 | UInt32(byte), count + 8)
      while count >= 6 {
        count -= 6
        result.append(alphabet[Int(bits >> count & 63)])
      }
    }
    if count > 0 { result.append(alphabet[Int(bits << (6 - count) & 63)]) }
    return result
  }

  /// Whether `scalar` is of the alphabet, the usual one or that for URLs.
  static func contains(_ scalar: Unicode.Scalar) -> Bool { alphabet.contains(scalar) || scalar == "-" || scalar == "_" }

  /// The same as text that decoders take: filled up with `=`.
  package static func padded(_ bytes: [UInt8]) -> String {
    var text = String.UnicodeScalarView(encode(bytes))
    while text.count % 4 != 0 { text.append("=") }
    return String(text)
  }
}
