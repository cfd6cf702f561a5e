import Posix

// How a client proves who it is, and whom it trusts. Secrets come from files or settings, never from a command line, and
// are put into no message.

/// TLS and SASL of a client.
package struct Security: Sendable, Equatable {
  /// Encryption.
  package struct TLS: Sendable, Equatable {
    /// File with the certificates that are trusted; nil: those of the system.
    package var authority: String?
    /// File with our own certificate, where the brokers ask for one.
    package var certificate: String?
    /// File with its key.
    package var key: String?
    /// Whether the broker's certificate and its name are checked.
    package var verifies: Bool

    package init(
      authority: String? = nil, certificate: String? = nil, key: String? = nil, verifies: Bool = true
    ) {
      (self.authority, self.certificate) = (authority, certificate)
      (self.key, self.verifies) = (key, verifies)
    }
  }

  /// Authentication.
  package enum SASL: Sendable, Equatable {
    /// `mechanism`: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
    case password(mechanism: String, username: String, password: String)
    /// OAUTHBEARER (RFC 7628).
    case token(OAuthToken.Source)
  }

  package var tls: TLS?
  package var sasl: SASL?

  package init(tls: TLS? = nil, sasl: SASL? = nil) { (self.tls, self.sasl) = (tls, sasl) }

  /// As librdkafka's properties.
  package var properties: [ClientProperty] {
    var properties: [ClientProperty] = []
    switch (tls != nil, sasl != nil) {
    case (false, false): return []
    case (true, false): properties.append(ClientProperty("security.protocol", "ssl"))
    case (false, true): properties.append(ClientProperty("security.protocol", "sasl_plaintext"))
    case (true, true): properties.append(ClientProperty("security.protocol", "sasl_ssl"))
    }
    if let tls {
      if let authority = tls.authority { properties.append(ClientProperty("ssl.ca.location", authority)) }
      if let certificate = tls.certificate {
        properties.append(ClientProperty("ssl.certificate.location", certificate))
      }
      if let key = tls.key { properties.append(ClientProperty("ssl.key.location", key)) }
      properties.append(ClientProperty("enable.ssl.certificate.verification", tls.verifies ? "true" : "false"))
      // librdkafka before 2.0 did not check the name unless told to.
      properties.append(ClientProperty("ssl.endpoint.identification.algorithm", tls.verifies ? "https" : "none"))
    }
    switch sasl {
    case .password(let mechanism, let username, let password)?:
      properties += [
        ClientProperty("sasl.mechanism", mechanism), ClientProperty("sasl.username", username),
        ClientProperty("sasl.password", password),
      ]
    case .token?: properties.append(ClientProperty("sasl.mechanism", "OAUTHBEARER"))
    case nil: break
    }
    return properties
  }

  /// Where tokens come from; nil when none are needed.
  var tokenSource: OAuthToken.Source? { if case .token(let source)? = sasl { source } else { nil } }

  /// Why a broker's certificate is not believed, by the code of X509_verify_cert_error_string(3).
  static func refusal(x509Error code: Int32, of broker: String) -> String {
    let reason =
      switch code {
      case 9: "is not valid yet: is the clock right?"
      case 10: "has expired (or the clock is wrong)"
      case 2, 18, 19, 20, 21: "is not signed by a CA that is trusted here: check the CA file"
      case 62, 64: "is for another name: check the name under which the broker is addressed"
      default: "is refused (X.509 verification error \(code))"
      }
    return "the certificate of \(broker) \(reason)"
  }
}
