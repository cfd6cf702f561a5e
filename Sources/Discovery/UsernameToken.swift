import Posix

// The login of a SOAP request (OASIS Web Services Security UsernameToken Profile 1.0): never the password, but a digest of
// it with a nonce and the time.

/// A login for ONVIF.
package struct ONVIFLogin: Sendable {
  package var username: String
  package var password: String

  package init(username: String, password: String) { (self.username, self.password) = (username, password) }

  /// The header of a request made at `time` by the device's clock, nanoseconds since 1970.
  func header(nonce: [UInt8], time: Int64) -> String {
    let created = DateTime(nanosecondsSince1970: time).text(fractionDigits: 3)
    let namespace = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
    return """
      <s:Security e:mustUnderstand="1" xmlns:s="\(namespace)-wssecurity-secext-1.0.xsd" \
      xmlns:u="\(namespace)-wssecurity-utility-1.0.xsd"><s:UsernameToken>\
      <s:Username>\(escaped(username))</s:Username>\
      <s:Password Type="\(namespace)-username-token-profile-1.0#PasswordDigest">\
      \(ONVIFLogin.digest(nonce: nonce, created: created, password: password))</s:Password>\
      <s:Nonce EncodingType="\(namespace)-soap-message-security-1.0#Base64Binary">\(Base64.padded(nonce))</s:Nonce>\
      <u:Created>\(created)</u:Created></s:UsernameToken></s:Security>
      """
  }

  /// Base64 (SHA-1 (nonce + created + password))
  static func digest(nonce: [UInt8], created: String, password: String) -> String {
    Base64.padded(sha(nonce + Array(created.utf8) + Array(password.utf8), bits: 160))
  }
}
