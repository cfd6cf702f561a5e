import CPosix
import Glibc

// How another process asks a running gateway whether it is well: a socket in the kernel's abstract name space (unix(7)), so
// that nothing is left on a disk and nothing has to be writable. Its name comes from the settings file's path. Who answers
// is the thread that looks after the others; when it hangs, no answer comes.

/// Where a gateway with a certain settings file is asked.
package enum HealthSocket {
  /// The gateway's side. Nothing in here blocks.
  package final class Listener: Sendable {
    private let descriptor: Int32

    /// Throws EADDRINUSE when a gateway with this file runs already.
    package init(settings path: String) throws(SystemError) {
      descriptor = try HealthSocket.makeSocket()
      do throws(SystemError) {
        try HealthSocket.withAddress(of: path) { address, length throws(SystemError) in
          _ = try retryingInterrupts("bind the health socket") { bind(descriptor, address, length) }
        }
        _ = try retryingInterrupts("listen") { listen(descriptor, 8) }
      } catch {
        close(descriptor)
        throw error
      }
    }

    deinit { close(descriptor) }

    /// Tells all who have asked since the last call.
    package func answer(_ text: @autoclosure () -> String) {
      while true {
        let peer = accept(descriptor, nil, nil)
        if peer < 0 { return }
        // An answer is short: it never waits for room.
        let bytes = Array(text().utf8)
        _ = send(peer, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        close(peer)
      }
    }
  }

  /// Asks; nil when no answer comes by `deadline`. Throws when no gateway with this file runs here, or its socket is
  /// another user's.
  package static func ask(settings path: String, until deadline: MonotonicTime) throws(SystemError) -> String? {
    let descriptor = try makeSocket()
    defer { close(descriptor) }
    try withAddress(of: path) { address, length throws(SystemError) in
      _ = try retryingInterrupts("connect to the gateway") { connect(descriptor, address, length) }
    }
    // Any process may have taken the name.
    let user = try retryingInterrupts("ask who answers") { camgate_peer_user(descriptor) }
    if geteuid() != 0, user != geteuid(), user != 0 {
      throw SystemError(code: EPERM, operation: "believe user \(user)")
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4_096)
    while bytes.count < 64 << 10 {
      let left = (deadline - .now()).nanoseconds / 1_000_000
      var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let ready = try retryingInterrupts("poll") { poll(&entry, 1, Int32(clamping: max(0, left))) }
      if ready == 0 { return nil }
      let count = try retryingInterrupts("read") { read(descriptor, &chunk, chunk.count) }
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func makeSocket() throws(SystemError) -> Int32 {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    return try retryingInterrupts("socket") { socket(AF_UNIX, kind, 0) }
  }

  private static func withAddress(
    of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
  ) throws(SystemError) {
    let name = Array("\0camgate-health-\(String(hash(of: path), radix: 16))".utf8)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
    var failure: SystemError?
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        do throws(SystemError) { try body(pointer, length) } catch { failure = error }
      }
    }
    if let failure { throw failure }
  }

  /// FNV-1a (64 bits) of the file's real path.
  private static func hash(of path: String) -> UInt64 {
    let real = realpath(path, nil)
    defer { free(real) }
    let text = real.map { String(cString: $0) } ?? path
    return text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
  }
}
