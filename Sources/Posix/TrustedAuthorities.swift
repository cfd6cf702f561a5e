import Glibc

// Whom the system trusts. OpenSSL in the static binary was not told where the distribution of the machine it runs on keeps
// its certificates, so they are looked for.

package enum TrustedAuthorities {
  /// Where distributions keep the certificates of all authorities they trust, in one PEM file.
  private static let places = [
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
  ]

  /// The PEM file of the authorities the system trusts: the one that the environment's SSL_CERT_FILE names, as for OpenSSL
  /// (SSL_CTX_load_verify_locations(3)), otherwise the first that can be read. nil: there is none.
  package static var systemFile: String? {
    if let named = getenv("SSL_CERT_FILE") { return String(cString: named) }
    return places.first { access($0, R_OK) == 0 }
  }
}
