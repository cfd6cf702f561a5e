import Glibc
import Posix

/// A socket of TCP, closed with its last owner. Used by one thread.
final class TCPSocket: Sendable {
  private let descriptor: Int32

  private init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// A listener on a free port of 127.0.0.1.
  static func listen() throws(SystemError) -> TCPSocket {
    // Not blocking: a connection may be gone before it is accepted.
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let listener = TCPSocket(try retryingInterrupts("socket") { socket(AF_INET, type, 0) })
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    let descriptor = listener.descriptor
    _ = try retryingInterrupts("bind to 127.0.0.1") {
      withUnsafeBytes(of: &address) {
        bind(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count))
      }
    }
    _ = try retryingInterrupts("listen") { Glibc.listen(descriptor, 8) }
    return listener
  }

  /// Connects to a host by name or number; `[…]` may be around an IPv6 address. Looking up a name may take longer.
  static func connect(to host: String, port: UInt16, until deadline: MonotonicTime) throws(SystemError) -> TCPSocket {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "\(port)", &hints, &list) == 0 else {
      throw SystemError(code: EADDRNOTAVAIL, operation: "resolve \(host)")
    }
    defer { freeaddrinfo(list) }
    var (next, failure) = (list, ETIMEDOUT)
    while let entry = next {
      next = entry.pointee.ai_next
      let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
      let descriptor = socket(entry.pointee.ai_family, type, 0)
      guard descriptor >= 0 else { continue }
      let socket = TCPSocket(descriptor)
      let code = Glibc.connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen)
      if code != 0, errno != EINPROGRESS {
        failure = errno
        continue
      }
      var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      let left = max(0, (deadline - .now()).nanoseconds / 1_000_000)
      guard poll(&entry, 1, Int32(clamping: next == nil ? left : left / 2)) > 0 else { continue }
      var (problem, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size)
      failure = problem
      if problem == 0 {
        socket.blockForSending()
        return socket
      }
    }
    throw SystemError(code: failure, operation: "connect to \(host):\(port)")
  }

  /// The next connection; nil when it is gone again.
  func accept() -> TCPSocket? {
    let descriptor = Glibc.accept(descriptor, nil, nil)
    if descriptor < 0 { return nil }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    let socket = TCPSocket(descriptor)
    socket.blockForSending()
    return socket
  }

  private func blockForSending() {
    _ = fcntl(descriptor, F_SETFL, 0)
    var (time, one) = (timeval(tv_sec: 10, tv_usec: 0), Int32(1))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Sends all of it, or as much as the other side takes in 10 s: receiving tells that it is gone.
  func send(_ bytes: [UInt8]) {
    var offset = 0
    while offset < bytes.count {
      let count = bytes[offset...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno != EINTR { return }
      offset += max(0, count)
    }
  }

  /// What has come, at least a byte; nil at the end.
  func receive() -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count < 0, errno == EINTR { continue }
      return count > 0 ? Array(buffer.prefix(count)) : nil
    }
  }

  /// Which of `sockets` have something to be read, or are at their end, after at most so many milliseconds.
  static func readable(_ sockets: [TCPSocket], for milliseconds: Int32) -> [Bool] {
    var entries = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    poll(&entries, nfds_t(entries.count), milliseconds)
    return entries.map { $0.revents != 0 }
  }

  /// Its own port.
  var port: UInt16 {
    var (address, length) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
    withUnsafeMutableBytes(of: &address) {
      _ = getsockname(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, &length)
    }
    return UInt16(bigEndian: address.sin_port)
  }

  /// The other side's address in numbers, and whether it is on this machine.
  var peer: (text: String, isLoopback: Bool) {
    var (address, length) = (sockaddr_storage(), socklen_t(MemoryLayout<sockaddr_storage>.size))
    var name = [CChar](repeating: 0, count: 64)
    withUnsafeMutableBytes(of: &address) {
      let pointer = $0.assumingMemoryBound(to: sockaddr.self).baseAddress
      _ = getpeername(descriptor, pointer, &length)
      if let pointer { _ = getnameinfo(pointer, length, &name, 64, nil, 0, NI_NUMERICHOST) }
    }
    let text = text(of: name)
    return (text, text.hasPrefix("127.") || text == "::1")
  }
}
