import CFFmpeg
import Posix

// The login of an HTTP request (RFC 7616, and RFC 2617 for devices that are older): never the password, but a digest of it
// with the server's nonce. Basic, which tells the password, is not answered. MD5 and SHA-2 are libavutil's.

/// A server's challenge that can be answered, and how often it was.
struct HTTPDigest: Equatable {
  enum Algorithm: String, CaseIterable {
    /// The better one last.
    case md5 = "MD5"
    case md5Session = "MD5-SESS"
    case sha256 = "SHA-256"
    case sha256Session = "SHA-256-SESS"

    var isSession: Bool { self == .md5Session || self == .sha256Session }
  }

  private(set) var algorithm = Algorithm.md5
  private(set) var realm = ""
  private(set) var nonce = ""
  private(set) var opaque: String?
  /// As the server wrote it, which it compares.
  private var algorithmName: String?
  /// Whether it counts requests (`qop=auth`); servers of RFC 2069 do not.
  private(set) var isCounting = false
  /// Whether the answer before this challenge had but an old nonce.
  private(set) var isStale = false
  private var count = 0

  /// No server has longer words.
  static let wordLimit = 1_024

  /// The best of `challenges`, values of WWW-Authenticate; nil when none can be answered.
  init?(_ challenges: [String]) {
    let usable = challenges.flatMap(HTTPChallenge.parse).compactMap { HTTPDigest(challenge: $0) }
    let rank = { (digest: HTTPDigest) in Algorithm.allCases.firstIndex(of: digest.algorithm) ?? 0 }
    guard let best = usable.max(by: { rank($0) < rank($1) }) else { return nil }
    self = best
  }

  private init?(challenge: HTTPChallenge) {
    guard challenge.scheme == "digest", let nonce = challenge["nonce"], let realm = challenge["realm"] else {
      return nil
    }
    if let name = challenge["algorithm"] {
      guard let algorithm = Algorithm(rawValue: name.uppercased()) else { return nil }
      (self.algorithm, algorithmName) = (algorithm, name)
    }
    if let qop = challenge["qop"] {
      guard qop.lowercased().split(whereSeparator: { $0 == "," || $0 == " " }).contains("auth") else { return nil }
      isCounting = true
    } else if algorithm.isSession {
      return nil
    }
    (self.nonce, self.realm, opaque) = (nonce, realm, challenge["opaque"])
    isStale = challenge["stale"]?.lowercased() == "true"
    for word in [nonce, realm, opaque ?? ""] where word.utf8.count > HTTPDigest.wordLimit { return nil }
  }

  /// The value of Authorization for the next request. `clientNonce`: random, and never used before.
  mutating func authorization(_ login: ONVIFLogin, method: String, path: String, clientNonce: String) -> String {
    count += 1
    let number = hexadecimal(withUnsafeBytes(of: UInt32(truncatingIfNeeded: count).bigEndian) { Array($0) })
    func hash(_ text: String) -> String {
      let bytes = Array(text.utf8)
      return hexadecimal(algorithm == .md5 || algorithm == .md5Session ? md5(bytes) : sha(bytes, bits: 256))
    }
    var secret = hash("\(login.username):\(realm):\(login.password)")
    if algorithm.isSession { secret = hash("\(secret):\(nonce):\(clientNonce)") }
    let middle = isCounting ? "\(nonce):\(number):\(clientNonce):auth" : nonce
    let response = hash("\(secret):\(middle):\(hash("\(method):\(path)"))")
    var words = [
      "username=\(quoted(login.username))", "realm=\(quoted(realm))", "nonce=\(quoted(nonce))", "uri=\(quoted(path))",
      "response=\"\(response)\"",
    ]
    if let algorithmName { words.append("algorithm=\(algorithmName)") }
    if let opaque { words.append("opaque=\(quoted(opaque))") }
    if isCounting { words.append("qop=auth, nc=\(number), cnonce=\"\(clientNonce)\"") }
    return "Digest " + words.joined(separator: ", ")
  }

  /// What `challenges` ask for, in words for people, where none can be answered.
  static func demands(of challenges: [String]) -> String {
    let names = challenges.flatMap(HTTPChallenge.parse).map { challenge in
      [challenge.scheme, challenge["algorithm"] ?? "", challenge["qop"] ?? ""].filter { !$0.isEmpty }
        .joined(separator: " ")
    }
    return printable(names.joined(separator: ", "))
  }
}

/// One challenge of a header WWW-Authenticate (RFC 9110, 11.6.1): a scheme and its parameters.
struct HTTPChallenge: Equatable {
  /// In lower case.
  var scheme: String
  /// By names in lower case.
  var parameters: [String: String] = [:]

  subscript(name: String) -> String? { parameters[name] }

  /// The challenges in one value; what is none is left out.
  static func parse(_ value: String) -> [HTTPChallenge] {
    var (challenges, rest) = ([] as [HTTPChallenge], Substring(value))
    while true {
      rest = rest.drop { $0 == "," || $0.isWhitespace }
      let word = rest.prefix { !$0.isWhitespace && $0 != "," && $0 != "=" }
      if word.isEmpty { return challenges }
      let behind = rest[word.endIndex...].drop { $0.isWhitespace }
      guard behind.first == "=" else {
        challenges.append(HTTPChallenge(scheme: word.lowercased()))
        rest = rest[word.endIndex...]
        continue
      }
      rest = behind.dropFirst().drop { $0.isWhitespace }
      let value = takeValue(&rest)
      if !challenges.isEmpty { challenges[challenges.count - 1].parameters[word.lowercased()] = value }
    }
  }

  /// A token or a quoted string (RFC 9110, 5.6.4).
  private static func takeValue(_ rest: inout Substring) -> String {
    guard rest.first == "\"" else {
      let token = rest.prefix { !$0.isWhitespace && $0 != "," }
      rest = rest[token.endIndex...]
      return String(token)
    }
    var (value, isEscaped) = ("", false)
    rest = rest.dropFirst()
    while let character = rest.popFirst() {
      if !isEscaped, character == "\"" { break }
      isEscaped = !isEscaped && character == "\\"
      if !isEscaped { value.append(character) }
    }
    return value
  }
}

/// `text` as a quoted string; control characters, which no header can have, are left out.
private func quoted(_ text: String) -> String {
  let scalars = text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f }
  return "\""
    + scalars.reduce(into: "") { result, scalar in
      if scalar == "\"" || scalar == "\\" { result.append("\\") }
      result.unicodeScalars.append(scalar)
    } + "\""
}

func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

func md5(_ bytes: [UInt8]) -> [UInt8] {
  var digest = [UInt8](repeating: 0, count: 16)
  av_md5_sum(&digest, bytes, bytes.count)
  return digest
}

/// SHA-1 (160 bits) or SHA-2.
func sha(_ bytes: [UInt8], bits: Int) -> [UInt8] {
  var context = av_sha_alloc()
  defer { av_freep(&context) }
  av_sha_init(context, Int32(bits))
  av_sha_update(context, bytes, bytes.count)
  var digest = [UInt8](repeating: 0, count: bits / 8)
  av_sha_final(context, &digest)
  return digest
}
