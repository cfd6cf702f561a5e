// What one side of an RTSP connection says, cut where requests, answers and interleaved packets end (RFC 2326). Whatever
// is none of these comes as it is; nothing is kept beyond a limit.

/// Cuts the bytes of one direction.
struct DialoguePieces {
  enum Piece: Equatable {
    /// A request or an answer: its head with the empty line, and what Content-Length announces.
    case message(head: [UInt8], body: [UInt8])
    /// An interleaved packet with its four bytes in front.
    case packet([UInt8])
    /// What cannot be read.
    case other([UInt8])
  }

  /// A message of more bytes is none.
  static let byteLimit = 256 << 10

  private var rest: [UInt8] = []

  /// All pieces that are whole with `bytes`.
  mutating func add(_ bytes: ArraySlice<UInt8>) -> [Piece] {
    rest += bytes
    var (pieces, offset) = ([] as [Piece], 0)
    while let (piece, count) = DialoguePieces.first(in: rest[offset...]) {
      pieces.append(piece)
      offset += count
    }
    rest.removeFirst(offset)
    if rest.count > DialoguePieces.byteLimit {
      pieces.append(.other(rest))
      rest = []
    }
    return pieces
  }

  /// What is left at the end of a connection; nil when there is nothing.
  mutating func finish() -> [UInt8]? {
    defer { rest = [] }
    return rest.isEmpty ? nil : rest
  }

  private static func first(in bytes: ArraySlice<UInt8>) -> (Piece, Int)? {
    if bytes.first == UInt8(ascii: "$") {
      guard bytes.count >= 4 else { return nil }
      let count = 4 + Int(bytes[bytes.startIndex + 2]) << 8 + Int(bytes[bytes.startIndex + 3])
      return bytes.count >= count ? (.packet(Array(bytes.prefix(count))), count) : nil
    }
    guard let head = head(of: bytes) else { return nil }
    guard isMessage(head) else { return (.other(Array(head)), head.count) }
    let length = value(of: "content-length", in: head).flatMap { Int($0) } ?? 0
    guard (0...byteLimit).contains(length) else { return (.other(Array(head)), head.count) }
    let body = bytes[head.endIndex...].prefix(length)
    return body.count == length ? (.message(head: Array(head), body: Array(body)), head.count + length) : nil
  }

  /// Up to and with the first empty line.
  private static func head(of bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var lineStart = bytes.startIndex
    for (index, byte) in zip(bytes.indices, bytes) where byte == UInt8(ascii: "\n") {
      let line = bytes[lineStart..<index]
      if lineStart > bytes.startIndex, line.isEmpty || line.elementsEqual([UInt8(ascii: "\r")]) {
        return bytes[...index]
      }
      lineStart = index + 1
    }
    return nil
  }

  private static func isMessage(_ head: ArraySlice<UInt8>) -> Bool {
    lines(of: head).first.map { $0.hasPrefix("RTSP/") || $0.split(separator: " ").last?.hasPrefix("RTSP/") == true }
      ?? false
  }

  /// The lines of a head, without their ends; bytes that are no UTF-8 become U+FFFD.
  static func lines(of head: some Collection<UInt8>) -> [String] {
    head.split(separator: UInt8(ascii: "\n")).map { line in
      String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line[...], as: UTF8.self)
    }
  }

  /// The value of a header, by its name in lower case; nil when there is none.
  static func value(of name: String, in head: some Collection<UInt8>) -> String? {
    for line in lines(of: head).dropFirst() {
      guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name else { continue }
      var value = line[line.index(after: colon)...].drop { $0 == " " }
      while value.last == " " { value.removeLast() }
      return String(value)
    }
    return nil
  }
}
