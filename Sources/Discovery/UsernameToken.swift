import CFFmpeg
import Posix

// The login of a SOAP request (OASIS Web Services Security UsernameToken Profile 1.0): never the password, but a digest of
// it with a nonce and the time. Base64 is libavutil's.

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
      <s:Nonce EncodingType="\(namespace)-soap-message-security-1.0#Base64Binary">\(base64(nonce))</s:Nonce>\
      <u:Created>\(created)</u:Created></s:UsernameToken></s:Security>
      """
  }

  /// Base64 (SHA-1 (nonce + created + password))
  static func digest(nonce: [UInt8], created: String, password: String) -> String {
    base64(sha(nonce + Array(created.utf8) + Array(password.utf8), bits: 160))
  }
}

func base64(_ bytes: [UInt8]) -> String {
  var output = [CChar](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
  av_base64_encode(&output, Int32(output.count), bytes, Int32(bytes.count))
  return text(of: output)
}
