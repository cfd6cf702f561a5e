import CFFmpeg

// By what a text is known again without being told: salted, and only as long as it has to be.

/// Salted hashes.
package enum Fingerprint {
  /// The first `byteCount` bytes (up to 32) of SHA-256 (FIPS 180-4; libavutil/sha.h) over salt and text, in hex. Of a
  /// secret take so few that thousands of guesses fit as well: then whoever reads them learns nothing to try.
  package static func of(_ text: String, salt: [UInt8], byteCount: Int) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    guard let sha = av_sha_alloc() else { return "" }
    defer { av_free(UnsafeMutableRawPointer(sha)) }
    let bytes = salt + Array(text.utf8)
    av_sha_init(sha, 256)
    av_sha_update(sha, bytes, bytes.count)
    av_sha_final(sha, &digest)
    return hex(Array(digest.prefix(byteCount)))
  }

  /// Two digits a byte.
  package static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  /// The bytes of `text`; nil when it is no hex.
  package static func bytes(hex text: Substring) -> [UInt8]? {
    guard text.utf8.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    var rest = text
    while !rest.isEmpty {
      guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    return bytes
  }
}
