import CPosix
import Glibc

// Whole small files and whole writes to a descriptor.

/// Reads and writes whole byte sequences.
package enum Files {
  /// The content of a file. Throws EFBIG when it is longer than `limit` bytes, so that a wrong path cannot eat memory;
  /// without `followingLinks` ELOOP when it is a link, and EINVAL when it is no file.
  package static func read(
    _ path: String, limit: Int, followingLinks: Bool = true
  ) throws(SystemError) -> [UInt8] {
    let flags = O_RDONLY | O_CLOEXEC | (followingLinks ? 0 : O_NOFOLLOW | O_NONBLOCK)
    let descriptor = try retryingInterrupts("open \(path)") { open(path, flags) }
    defer { close(descriptor) }
    var status = stat()
    if !followingLinks, fstat(descriptor, &status) != 0 || status.st_mode & S_IFMT != S_IFREG {
      throw SystemError(code: EINVAL, operation: "read \(path)")
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = try retryingInterrupts("read \(path)") { Glibc.read(descriptor, &chunk, chunk.count) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      if bytes.count > limit { throw SystemError(code: EFBIG, operation: "read \(path)") }
    }
  }

  /// A password in a file, without the line end that editors put behind it.
  package static func readPassword(_ path: String) throws(SystemError) -> String {
    var password = String(decoding: try read(path, limit: 4_096), as: UTF8.self)
    while password.last?.isNewline == true { password.removeLast() }
    return password
  }

  /// Gives an open file its first `byteCount` blocks (fallocate(2), never posix_fallocate(3), which would write every
  /// byte where the filesystem cannot preallocate). The file is at least that long afterwards.
  package static func allocate(_ descriptor: Int32, byteCount: Int) throws(SystemError) {
    _ = try retryingInterrupts("fallocate") { camgate_allocate(descriptor, byteCount) }
  }

  /// Writes all of `bytes` to an open descriptor.
  package static func write(_ bytes: [UInt8], to descriptor: Int32) throws(SystemError) {
    var offset = 0
    while offset < bytes.count {
      let rest = bytes[offset...]
      offset += try retryingInterrupts("write") {
        rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      }
    }
  }
}

/// The name of this machine (gethostname(2)).
package func hostName() -> String {
  var buffer = [CChar](repeating: 0, count: 256)
  guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
  return text(of: buffer)
}

/// The text in a buffer that a C function has filled, up to its NUL.
package func text(of buffer: [CChar]) -> String {
  String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
