import CRdKafka
import Posix

// Tokens for SASL OAUTHBEARER. Something else renews them (a sidecar, an agent of the cloud); they are read again before
// they expire.

/// A bearer token.
package struct OAuthToken: Sendable, Equatable {
  /// Where it comes from.
  package enum Source: Sendable, Equatable {
    /// A file with the token alone in it.
    case file(String)
    /// A command that prints it.
    case command(String)
  }

  /// What goes to the broker.
  var text: String
  /// Milliseconds since 1970.
  var expiry: Int64
  /// Whom it speaks for.
  var principal: String

  /// A token that does not say when it expires is read again after so long.
  static let assumedLifetime = Duration.seconds(300)
  /// How long a command may take.
  static let commandTimeout = Duration.seconds(10)
  private static let sizeLimit = 64 << 10

  /// `text` as a token: a JSON Web Token says when it expires and for whom it is (RFC 7519: exp, sub); others are taken
  /// as they are.
  init(_ text: String, nanosecondsSince1970 now: Int64) {
    self.text = text
    let fields = text.split(separator: ".", omittingEmptySubsequences: false)
    let claims = fields.count == 3 ? OAuthToken.base64URL(fields[1]).map { String(decoding: $0, as: UTF8.self) } : nil
    let digits = claims.flatMap { OAuthToken.claim("exp", in: $0) }?.prefix { $0.isNumber }
    expiry =
      digits.flatMap { Int64($0) }.flatMap { $0.multipliedReportingOverflow(by: 1_000).overflow ? nil : $0 * 1_000 }
      ?? now.addingSaturated(OAuthToken.assumedLifetime.nanoseconds) / 1_000_000
    let subject = claims.flatMap { OAuthToken.claim("sub", in: $0) }.flatMap { value in
      value.first == "\"" ? String(value.dropFirst().prefix { $0 != "\"" }) : nil
    }
    principal = subject.flatMap { $0.isEmpty ? nil : $0 } ?? "camgate"
  }

  /// Reads a token; `learn` is called with whatever the source gave, whether it is of use or not, and `complain` with each
  /// line that a command writes to standard error. Throws a text for people; the token itself is only in what the command
  /// complains of.
  static func read(
    from source: Source, learn: (String) -> Void = { _ in }, complain: (String) -> Void = { _ in }
  ) throws(TokenError) -> OAuthToken {
    let bytes: [UInt8]
    do throws(SystemError) {
      switch source {
      case .file(let path): bytes = try Files.read(path, limit: sizeLimit)
      case .command(let line): bytes = try output(of: line, learn, complain)
      }
    } catch {
      throw TokenError(message: "no token: \(error.operation): \(describe(errno: error.code))")
    }
    let text = bytes.filter { $0 > 0x20 && $0 < 0x7f }
    learn(String(decoding: text, as: UTF8.self))
    if text.isEmpty { throw TokenError(message: "no token: its source is empty") }
    let now = WallClock.nanosecondsSince1970()
    let token = OAuthToken(String(decoding: text, as: UTF8.self), nanosecondsSince1970: now)
    if token.expiry <= now / 1_000_000 { throw TokenError(message: "the token has expired (or the clock is wrong)") }
    return token
  }

  /// What a command prints. Throws with what it complained of last as part of the operation.
  private static func output(
    of line: String, _ learn: (String) -> Void, _ complain: (String) -> Void
  ) throws(SystemError) -> [UInt8] {
    let outcome = try Command.run(line, until: .now() + commandTimeout, limit: sizeLimit)
    // A command that fails may repeat the token that it has printed already; words are none.
    let printed = String(decoding: outcome.output.filter { $0 > 0x20 && $0 < 0x7f }, as: UTF8.self)
    if printed.utf8.count >= shortestToken { learn(printed) }
    let complaints = String(decoding: outcome.complaints, as: UTF8.self).split(whereSeparator: \.isNewline)
    for complaint in complaints { complain(String(complaint)) }
    if let failure = outcome.failure {
      let last = complaints.last.map { " (it says: \($0))" } ?? ""
      throw SystemError(code: failure.code, operation: failure.operation + last)
    }
    return outcome.output
  }

  /// What a failing command prints is taken for a token from so many bytes on.
  private static let shortestToken = 16

  /// The value behind `"name":` in a JSON object.
  private static func claim(_ name: String, in json: String) -> Substring? {
    var rest = Substring(json)
    while let quote = rest.firstIndex(of: "\"") {
      rest = rest[rest.index(after: quote)...]
      let word = rest.prefix { $0 != "\"" }
      rest = rest[word.endIndex...].dropFirst()
      let value = rest.drop { $0 == " " }
      if word == name, value.first == ":" { return value.dropFirst().drop { $0 == " " } }
    }
    return nil
  }

  /// RFC 4648, 5, without padding.
  private static func base64URL(_ text: Substring) -> [UInt8]? {
    var (bits, count): (UInt32, Int) = (0, 0)
    var bytes: [UInt8] = []
    for byte in text.utf8 where byte != UInt8(ascii: "=") {
      let value: UInt8
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - UInt8(ascii: "A")
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - UInt8(ascii: "a") + 26
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0") + 52
      case UInt8(ascii: "-"), UInt8(ascii: "+"): value = 62
      case UInt8(ascii: "_"), UInt8(ascii: "/"): value = 63
      default: return nil
      }
      (bits, count) = (bits << 6 | UInt32(value), count + 6)
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return bytes
  }
}

/// Why there is no token.
struct TokenError: Error {
  var message: String
}

extension OAuthToken {
  /// Hands a fresh token to a client that asks for one; without one librdkafka asks again ten seconds later.
  static func renew(
    for client: OpaquePointer, from source: Source, learn: (String) -> Void, complain: (String) -> Void
  ) {
    var reason = [CChar](repeating: 0, count: 512)
    do throws(TokenError) {
      let token = try read(from: source, learn: learn, complain: complain)
      let code = rd_kafka_oauthbearer_set_token(
        client, token.text, token.expiry, token.principal, nil, 0, &reason, reason.count)
      if code != RD_KAFKA_RESP_ERR_NO_ERROR { rd_kafka_oauthbearer_set_token_failure(client, Posix.text(of: reason)) }
    } catch {
      rd_kafka_oauthbearer_set_token_failure(client, error.message)
    }
  }
}
