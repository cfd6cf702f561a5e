import Glibc
import Posix
import Testing

@testable import Broker

/// How TLS and SASL are told to librdkafka.
@Suite struct SecurityTests {
  private static let rows: [(Security, [String])] = [
    (Security(), []),
    (
      Security(tls: Security.TLS(authority: "/ca")),
      [
        "security.protocol=ssl", "ssl.ca.location=/ca", "enable.ssl.certificate.verification=true",
        "ssl.endpoint.identification.algorithm=https",
      ]
    ),
    (
      Security(tls: Security.TLS(certificate: "/c", key: "/k", verifies: false)),
      [
        "security.protocol=ssl", "ssl.certificate.location=/c", "ssl.key.location=/k",
        "enable.ssl.certificate.verification=false", "ssl.endpoint.identification.algorithm=none",
      ]
    ),
    (
      Security(sasl: .password(mechanism: "SCRAM-SHA-512", username: "u", password: "p")),
      ["security.protocol=sasl_plaintext", "sasl.mechanism=SCRAM-SHA-512", "sasl.username=u", "sasl.password=p"]
    ),
    (
      Security(tls: Security.TLS(), sasl: .token(.file("/t"))),
      [
        "security.protocol=sasl_ssl", "enable.ssl.certificate.verification=true",
        "ssl.endpoint.identification.algorithm=https", "sasl.mechanism=OAUTHBEARER",
      ]
    ),
  ]

  @Test func everyWayIsToldInItsProperties() {
    for (security, expected) in Self.rows {
      #expect(security.properties.map { "\($0.name)=\($0.value)" } == expected)
      for property in security.properties { #expect(property.refusal == nil, "\(property)") }
    }
  }

  /// A client with each mechanism can be made with the librdkafka that is linked.
  @Test(arguments: ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
  func librdkafkaKnowsTheMechanism(_ mechanism: String) {
    let sasl = Security.SASL.password(mechanism: mechanism, username: "u", password: "p")
    #expect(throws: Never.self) {
      try Producer(security: Security(sasl: sasl), properties: [], onReport: { _ in }, onEvent: { _ in })
    }
  }

  @Test(arguments: [(9, "not valid yet"), (10, "has expired"), (20, "signed by a CA"), (62, "another name"), (7, "7")])
  func aRefusedCertificateIsExplained(_ code: Int32, _ text: String) {
    #expect(Security.refusal(x509Error: code, of: "ssl://k:9093/1").contains(text))
  }

  /// A client that has no token says so, and why.
  @Test func aMissingTokenIsAnError() throws {
    let errors = Monitor<[BrokerError]>([])
    let producer = try Producer(
      security: Security(sasl: .token(.file("/nowhere/token"))),
      properties: [ClientProperty("bootstrap.servers", "127.0.0.1:1")], onReport: { _ in },
      onEvent: { event in if case .error(let error) = event { errors.withLock { $0.append(error) } } })
    let deadline = MonotonicTime.now() + .seconds(60)
    while errors.read({ $0.allSatisfy { !$0.message.contains("no token") } }), MonotonicTime.now() < deadline {
      producer.poll(milliseconds: 50)
    }
    let error = try #require(errors.read { $0.first { $0.message.contains("no token") } })
    #expect(error.message.contains("/nowhere/token: No such file"))
    #expect(error.disposition == .hold)
  }
}

/// Bearer tokens.
@Suite struct OAuthTokenTests {
  private let now: Int64 = 1_795_460_400_000_000_000

  /// {"alg":"none"} . {"sub":"dock-7","exp":1795464000}
  private let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJkb2NrLTciLCJleHAiOjE3OTU0NjQwMDB9."

  @Test func aWebTokenSaysWhenItExpiresAndForWhomItIs() {
    let token = OAuthToken(jwt, nanosecondsSince1970: now)
    #expect(token.text == jwt)
    #expect(token.expiry == 1_795_464_000_000)
    #expect(token.principal == "dock-7")
  }

  /// {"note":"exp","exp": 1795464000.5}
  @Test func claimsAreNotMistakenForValues() {
    let token = OAuthToken("e30.eyJub3RlIjoiZXhwIiwiZXhwIjogMTc5NTQ2NDAwMC41fQ.x", nanosecondsSince1970: now)
    #expect(token.expiry == 1_795_464_000_000)
    #expect(token.principal == "camgate")
  }

  @Test(arguments: ["opaque", "a.b", "..", "a.!!!.c", "a.e30.c", "a.eyJleHAiOiJ4In0.c"])
  func othersAreReadAgainAfterAWhile(_ text: String) {
    let token = OAuthToken(text, nanosecondsSince1970: now)
    #expect(token.text == text)
    #expect(token.expiry == 1_795_460_400_000 + 300_000)
    #expect(token.principal == "camgate")
  }

  @Test func aCommandPrintsIt() throws {
    #expect(try OAuthToken.read(from: .command("echo abc")).text == "abc")
  }

  @Test(arguments: [
    ("exit 3", "run the command"), ("true", "its source is empty"), ("echo e30.eyJleHAiOjF9.x", "has expired"),
  ])
  func whyThereIsNoneIsSaid(_ command: String, _ reason: String) {
    #expect {
      try OAuthToken.read(from: .command(command))
    } throws: {
      ($0 as? TokenError)?.message.contains(reason) == true
    }
  }
}
