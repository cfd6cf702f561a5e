import Glibc
import Posix

// One POST to a device on the local network (RFC 9112), with a deadline for all of it and a limit for what comes back.
// Redirects are not followed: a login must not go elsewhere because a stranger says so.

/// What a server answered.
struct HTTPResponse: Equatable {
  var status: Int
  var body: [UInt8]
  /// Values of WWW-Authenticate.
  var challenges: [String] = []

  static let byteLimit = 256 << 10
  static let challengeLimit = 8

  enum Parsed: Equatable {
    case incomplete
    case complete(HTTPResponse)
    /// No HTTP, or more than the limit.
    case invalid
  }

  /// What `bytes`, all that has come so far, amount to. `isAtEnd`: the server has closed the connection.
  static func parse(_ bytes: [UInt8], isAtEnd: Bool, interimLimit: Int = 4) -> Parsed {
    if bytes.count > byteLimit { return .invalid }
    guard let end = headerEnd(bytes) else { return isAtEnd ? .invalid : .incomplete }
    // Bytes, not characters: to Swift CR LF is one character and no LF.
    let lines = bytes[..<end].split(separator: UInt8(ascii: "\n")).map { trimmed(String(decoding: $0, as: UTF8.self)) }
    let words = (lines.first ?? "").split(separator: " ")
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]), (100...599).contains(status)
    else {
      return .invalid
    }
    let body = bytes[end...]
    // 100 Continue and the like: the answer is still to come.
    if status < 200 {
      return interimLimit > 0 ? parse(Array(body), isAtEnd: isAtEnd, interimLimit: interimLimit - 1) : .invalid
    }
    var (length, isChunked, answer) = (nil as Int?, false, HTTPResponse(status: status, body: []))
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1).map { trimmed(String($0)) }
      guard parts.count == 2 else { continue }
      switch parts[0].lowercased() {
      case "content-length":
        guard let count = Int(parts[1]), (0...byteLimit).contains(count) else { return .invalid }
        length = count
      case "transfer-encoding": isChunked = parts[1].lowercased().hasSuffix("chunked")
      case "www-authenticate" where answer.challenges.count < challengeLimit: answer.challenges.append(parts[1])
      default: break
      }
    }
    if isChunked { return chunks(body, of: answer, isAtEnd: isAtEnd) }
    if let length, body.count < length { return isAtEnd ? .invalid : .incomplete }
    if length == nil, !isAtEnd { return .incomplete }
    answer.body = Array(body.prefix(length ?? .max))
    return .complete(answer)
  }

  private static func headerEnd(_ bytes: [UInt8]) -> Int? {
    var lineStart = 0
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
      let line = bytes[lineStart..<index]
      if lineStart > 0, line.isEmpty || line.elementsEqual([UInt8(ascii: "\r")]) { return index + 1 }
      lineStart = index + 1
    }
    return nil
  }

  private static func chunks(_ body: ArraySlice<UInt8>, of head: HTTPResponse, isAtEnd: Bool) -> Parsed {
    var (rest, answer) = (body, head)
    while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
      let line = String(decoding: rest[..<newline].prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
      guard let count = Int(trimmed(line), radix: 16), (0...byteLimit).contains(count) else { return .invalid }
      if count == 0 { return .complete(answer) }
      let chunk = rest[(newline + 1)...]
      guard chunk.count >= count else { break }
      answer.body += chunk.prefix(count)
      rest = chunk.dropFirst(count)
      // The line end behind the chunk.
      while let first = rest.first, first == UInt8(ascii: "\r") || first == UInt8(ascii: "\n") {
        rest = rest.dropFirst()
      }
    }
    return isAtEnd ? .invalid : .incomplete
  }
}

/// Why there is no answer, in words for people.
struct HTTPError: Error, Equatable {
  var message: String
  /// Whether somebody answered at all, as ONVIF does.
  var isAnswer = false
  /// The login was refused, or cannot be made: to ask again could lock the device.
  var isRefusal = false
}

/// What is posted.
struct HTTPRequest {
  var body: String
  var type: String
  var service: ServiceAddress
  /// The value of Authorization.
  var authorization: String?
}

enum HTTPPost {
  /// Posts to an IPv4 address and gives what comes back by `deadline`.
  static func send(_ request: HTTPRequest, until deadline: MonotonicTime) throws(HTTPError) -> HTTPResponse {
    let (service, body) = (request.service, request.body)
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw failure("no socket") }
    defer { close(descriptor) }
    guard var address = sockaddr_in(service.host, port: service.port) else {
      throw HTTPError(message: "'\(service.host)' is no IPv4 address")
    }
    let length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeBytes(of: &address) {
      connect(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), length)
    }
    if code != 0, errno != EINPROGRESS { throw failure("cannot connect") }
    try wait(for: Int16(POLLOUT), descriptor, until: deadline)
    var (problem, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size)
    if problem != 0 { throw HTTPError(message: "cannot connect: \(describe(errno: problem))") }
    let head =
      "POST \(service.path) HTTP/1.1\r\nHost: \(service.host):\(service.port)\r\nUser-Agent: camgate\r\n"
      + "Content-Type: \(request.type)\r\nContent-Length: \(body.utf8.count)\r\n"
      + (request.authorization.map { "Authorization: \($0)\r\n" } ?? "") + "Connection: close\r\n\r\n"
    try write(Array((head + body).utf8), descriptor, until: deadline)
    return try read(descriptor, until: deadline)
  }

  private static func write(_ bytes: [UInt8], _ descriptor: Int32, until deadline: MonotonicTime) throws(HTTPError) {
    var offset = 0
    while offset < bytes.count {
      let count = bytes[offset...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno != EAGAIN, errno != EINTR { throw failure("the connection broke") }
      offset += max(0, count)
      if count < 0 { try wait(for: Int16(POLLOUT), descriptor, until: deadline) }
    }
  }

  private static func read(_ descriptor: Int32, until deadline: MonotonicTime) throws(HTTPError) -> HTTPResponse {
    var (bytes, chunk) = ([] as [UInt8], [UInt8](repeating: 0, count: 16 << 10))
    while true {
      try wait(for: Int16(POLLIN), descriptor, until: deadline)
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count < 0, errno == EAGAIN || errno == EINTR { continue }
      // A reset behind a whole answer is as good as an end.
      bytes += chunk.prefix(max(0, count))
      switch HTTPResponse.parse(bytes, isAtEnd: count <= 0) {
      case .complete(let response): return response
      case .invalid: throw HTTPError(message: "what answers is no ONVIF service")
      case .incomplete: continue
      }
    }
  }

  private static func wait(for events: Int16, _ descriptor: Int32, until deadline: MonotonicTime) throws(HTTPError) {
    while true {
      let left = (deadline - .now()).nanoseconds
      if left <= 0 { throw HTTPError(message: "no answer in time") }
      var entry = pollfd(fd: descriptor, events: events, revents: 0)
      if poll(&entry, 1, Int32(clamping: left / 1_000_000 + 1)) > 0 { return }
    }
  }

  private static func failure(_ what: String) -> HTTPError { HTTPError(message: "\(what): \(describe(errno: errno))") }
}

extension sockaddr_in {
  /// nil when `host` is no IPv4 address in numbers.
  init?(_ host: String, port: UInt16) {
    self.init()
    sin_family = sa_family_t(AF_INET)
    sin_port = port.bigEndian
    guard inet_pton(AF_INET, host, &sin_addr) == 1 else { return nil }
  }

  /// The address in numbers.
  var text: String {
    var (buffer, address) = ([CChar](repeating: 0, count: 16), sin_addr)
    inet_ntop(AF_INET, &address, &buffer, 16)
    return Posix.text(of: buffer)
  }
}
