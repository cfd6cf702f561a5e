// How a secret may be spelt. Percent-encoding, JSON, XML and YAML escape single characters, each encoder others: those
// spellings are undone while reading (SecretReading). Base64 mixes neighbouring bytes and is a form of its own.

/// One form of a secret, as the characters that stay when escapes are undone.
struct SecretForm {
  let scalars: [Unicode.Scalar]
  /// Whether `-` stands for `+`, `_` for `/`, and padding may follow (RFC 4648, 4 and 5).
  var isBase64 = false
  /// A character of Base64 before or after the form also holds some bits of the secret.
  var sharesFirst = false
  var sharesLast = false

  /// The shortest secret that can be told from ordinary words, in UTF-8 bytes.
  static let shortest = 3
  /// The shortest part of Base64 that can.
  private static let shortestBase64 = 4

  /// All forms of `secret`: as it is, percent-decoded once (what a server makes of one that holds a `%41`), and in Base64
  /// alone, behind any other text, and behind `username:`.
  static func all(of secret: String, username: String?) -> [SecretForm] {
    var forms: [SecretForm] = []
    for text in Set([secret, PercentEncoding.decode(secret)]) where text.utf8.count >= shortest {
      forms.append(SecretForm(text))
    }
    if let username, secret.utf8.count < shortest {
      forms.append(SecretForm("\(username):\(secret)"))
    }
    let bytes = Array(secret.utf8)
    if bytes.count >= shortest { forms += (0..<3).compactMap { base64(bytes, shiftedBy: $0) } }
    if let username { forms += [base64(Array("\(username):".utf8) + bytes, shiftedBy: 0)].compactMap { $0 } }
    return forms
  }

  /// The characters of Base64 that `bytes` alone decide when `shift` (0 to 2) bytes come before them in their group of
  /// three; nil when they are too few.
  private static func base64(_ bytes: [UInt8], shiftedBy shift: Int) -> SecretForm? {
    let encoded = Base64.encode([UInt8](repeating: 0, count: shift) + bytes)
    let isShared = (shift + bytes.count) % 3 != 0
    let own = encoded.dropFirst(shift == 0 ? 0 : shift + 1).dropLast(isShared ? 1 : 0)
    if own.count < shortestBase64 { return nil }
    return SecretForm(scalars: own, isBase64: true, sharesFirst: shift > 0, sharesLast: isShared)
  }

  private init(scalars: ArraySlice<Unicode.Scalar>, isBase64: Bool, sharesFirst: Bool, sharesLast: Bool) {
    self.scalars = Array(scalars)
    (self.isBase64, self.sharesFirst, self.sharesLast) = (isBase64, sharesFirst, sharesLast)
  }

  /// As it is, without what `SecretReading` passes over in texts.
  private init(_ text: String) { scalars = text.cleanedScalars.filter { !SecretReading.isPassedOver($0) } }
}
