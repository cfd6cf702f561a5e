import Posix

// A dialogue as a file that Toolchain/testbed/responder.py plays. It is bounded: what comes beyond a limit is not kept.

/// Connections to one camera, as they went.
struct DialogueRecording {
  /// Connections and answers that are kept.
  static let connectionLimit = 8
  static let answerLimit = 64
  /// Bytes of answers and packets that are kept, all together.
  static let byteLimit = 2 << 20
  /// Packets are kept for so long from the first on.
  static let packetTime = Duration.seconds(10)

  private struct Answer {
    var connection: Int
    var method: String
    var request: [UInt8]
    /// nil while none has come.
    var head: [UInt8]?
    var body: [UInt8] = []
  }

  private struct Packet {
    var connection: Int
    /// From the connection's first packet on.
    var time: Duration
    var bytes: [UInt8]
  }

  private let redaction: DialogueRedaction
  private var answers: [Answer] = []
  private var packets: [Packet] = []
  private var firstPacket: [Int: MonotonicTime] = [:]
  /// Connections that the camera ended.
  private var closed: Set<Int> = []
  /// Connections that were said goodbye to: who closes those is a matter of chance.
  private var dismissed: Set<Int> = []
  private var byteCount = 0
  private(set) var connectionCount = 0

  init(_ redaction: DialogueRedaction) { self.redaction = redaction }

  /// Whether anything was asked.
  var isEmpty: Bool { answers.isEmpty }

  /// A connection begins; its number, from 1.
  mutating func begin() -> Int {
    connectionCount += 1
    return connectionCount
  }

  /// The gateway asks.
  mutating func ask(_ head: [UInt8], on connection: Int) {
    guard connection <= DialogueRecording.connectionLimit, answers.count < DialogueRecording.answerLimit else { return }
    let method = DialoguePieces.lines(of: head).first?.prefix { $0 != " " } ?? ""
    if method == "TEARDOWN" { dismissed.insert(connection) }
    answers.append(Answer(connection: connection, method: String(method), request: redaction.text(of: head)))
  }

  /// The camera says something.
  mutating func take(_ piece: DialoguePieces.Piece, on connection: Int, at now: MonotonicTime) {
    switch piece {
    case .message(let head, let body):
      if let open = openAnswer(of: connection), keep(head.count + body.count) {
        (answers[open].head, answers[open].body) = (redaction.text(of: head), redaction.text(of: body))
      } else {
        take(packet: redaction.text(of: head + body), on: connection, at: now)
      }
    case .packet(let bytes): take(packet: DialogueRedaction.packet(bytes), on: connection, at: now)
    case .other(let bytes): take(other: bytes, on: connection, at: now)
    }
  }

  /// The connection ends; `rest` is what was not whole.
  mutating func end(_ connection: Int, rest: [UInt8]?, byCamera: Bool, at now: MonotonicTime) {
    if let rest { take(other: rest, on: connection, at: now) }
    if byCamera, !dismissed.contains(connection) { closed.insert(connection) }
  }

  private mutating func take(other bytes: [UInt8], on connection: Int, at now: MonotonicTime) {
    if let open = openAnswer(of: connection), keep(min(bytes.count, 16 << 10)) {
      // Enough to fail at.
      answers[open].head = redaction.text(of: Array(bytes.prefix(16 << 10)))
    } else {
      // Between packets it may be anything, an address too.
      take(packet: redaction.text(of: bytes), on: connection, at: now)
    }
  }

  private mutating func take(packet bytes: [UInt8], on connection: Int, at now: MonotonicTime) {
    let first = firstPacket[connection] ?? now
    firstPacket[connection] = first
    guard connection <= DialogueRecording.connectionLimit, now - first < DialogueRecording.packetTime, keep(bytes.count)
    else { return }
    packets.append(Packet(connection: connection, time: now - first, bytes: bytes))
  }

  private func openAnswer(of connection: Int) -> Int? {
    answers.firstIndex { $0.connection == connection && $0.head == nil }
  }

  private mutating func keep(_ count: Int) -> Bool {
    guard byteCount + count <= DialogueRecording.byteLimit else { return false }
    byteCount += count
    return true
  }

  /// The file: answers in the order in which they were asked for, then packets.
  func text(version: String) -> String {
    var lines = [
      "# What a camera said to camgate \(version) (camgate probe --record), without login and addresses. The packets are its",
      "# pictures. Toolchain/testbed/responder.py plays it.", "recorded = true",
    ]
    for answer in answers {
      lines += ["", "[[reply]]", "connection = \(answer.connection)", "method = \(quoted(Array(answer.method.utf8)))"]
      lines.append("request = \(quoted(answer.request))")
      if let head = answer.head {
        lines.append("text = \(quoted(DialogueRecording.replayed(head, hasBody: !answer.body.isEmpty)))")
      } else {
        lines.append("silent = true")
      }
      if !answer.body.isEmpty { lines.append("body = \(quoted(answer.body))") }
    }
    for packet in packets {
      lines += ["", "[[packet]]", "connection = \(packet.connection)", "at = \(milliseconds(packet.time))"]
      lines.append("data = \"\(Base64.padded(packet.bytes))\"")
    }
    for connection in closed.sorted() { lines += ["", "[[close]]", "connection = \(connection)"] }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A head with the replay's own number and length.
  private static func replayed(_ head: [UInt8], hasBody: Bool) -> [UInt8] {
    var result: [UInt8] = []
    for (index, line) in head.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if index > 0 { result.append(UInt8(ascii: "\n")) }
      let text = String(decoding: line, as: UTF8.self)
      let name = text.prefix { $0 != ":" }.lowercased()
      // To Swift CR LF would be one character; the line has no LF.
      let end = text.hasSuffix("\r") ? "\r" : ""
      switch name {
      case "cseq": result += Array(("CSeq: {cseq}" + end).utf8)
      case "content-length" where hasBody: result += Array(("Content-Length: {length}" + end).utf8)
      default: result += line
      }
    }
    return result
  }
}

/// Seconds with three decimals, as TOML writes them.
private func milliseconds(_ time: Duration) -> String {
  let whole = max(0, time.nanoseconds / 1_000_000)
  let rest = "\(whole % 1_000)"
  return "\(whole / 1_000)." + String(repeating: "0", count: 3 - rest.count) + rest
}

/// Bytes as a basic string of TOML whose characters are the bytes (ISO 8859-1).
private func quoted(_ bytes: [UInt8]) -> String {
  var result = "\""
  for byte in bytes {
    switch byte {
    case UInt8(ascii: "\n"): result += "\\n"
    case UInt8(ascii: "\r"): result += "\\r"
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): result += "\\" + String(Character(Unicode.Scalar(byte)))
    case 0x20..<0x7f: result.unicodeScalars.append(Unicode.Scalar(byte))
    default: result += "\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
  }
  return result + "\""
}
