import Glibc
import Posix

// The sockets of a recorder. One thread; a camera that takes nothing holds it for the send time at most.

/// Connections of FFmpeg, each with one of its own to the camera.
struct DialogueRelay {
  enum Event {
    /// A connection begins; the answer is its number.
    case begin
    case ask([UInt8], connection: Int)
    case take(DialoguePieces.Piece, connection: Int)
    case end(connection: Int, rest: [UInt8]?, byCamera: Bool)
    /// The password would have gone out in clear.
    case refuse
  }

  private struct Pair {
    var number: Int
    var here: TCPSocket
    var there: TCPSocket
    var asked = DialoguePieces()
    var said = DialoguePieces()
  }

  private let camera: RecordedCamera
  private let authority: String
  private let own: String
  private let mayTellPassword: Bool
  private let listener: TCPSocket
  /// The connection that was made to see whether there is a camera.
  private var first: TCPSocket?
  private var pairs: [Pair] = []

  init(
    camera: RecordedCamera, authority: String, own: String, mayTellPassword: Bool, listener: TCPSocket, first: TCPSocket
  ) {
    (self.camera, self.authority, self.own, self.mayTellPassword) = (camera, authority, own, mayTellPassword)
    (self.listener, self.first) = (listener, first)
  }

  /// Waits for bytes up to 100 ms and passes them on.
  mutating func step(_ tell: (Event) -> Int) {
    let readable = TCPSocket.readable([listener] + pairs.flatMap { [$0.here, $0.there] }, for: 100)
    if readable.first == true, let here = listener.accept() { begin(here, tell) }
    for index in pairs.indices.reversed() where 2 + 2 * index < readable.count {
      let isAlive =
        (!readable[1 + 2 * index] || passOn(pairs: index, tell)) && (!readable[2 + 2 * index] || passBack(index, tell))
      if !isAlive { pairs.remove(at: index) }
    }
  }

  private mutating func begin(_ here: TCPSocket, _ tell: (Event) -> Int) {
    let number = tell(.begin)
    var there = first
    first = nil
    if there == nil {
      there = try? TCPSocket.connect(to: camera.host, port: camera.port, until: .now() + .seconds(10))
    }
    if let there {
      pairs.append(Pair(number: number, here: here, there: there))
    } else {
      _ = tell(.end(connection: number, rest: nil, byCamera: true))
    }
  }

  /// From FFmpeg to the camera; false when the connection is over.
  private mutating func passOn(pairs index: Int, _ tell: (Event) -> Int) -> Bool {
    let number = pairs[index].number
    guard let bytes = pairs[index].here.receive() else {
      // What the camera said last may still lie here.
      while TCPSocket.readable([pairs[index].there], for: 0)[0], passBack(index, tell) {}
      _ = tell(.end(connection: number, rest: pairs[index].said.finish(), byCamera: false))
      return false
    }
    for piece in pairs[index].asked.add(bytes[...]) {
      switch piece {
      case .message(let head, let body):
        let scheme = DialoguePieces.value(of: "authorization", in: head)?.prefix { $0 != " " }.lowercased()
        if scheme == "basic", !mayTellPassword {
          _ = tell(.refuse)
          _ = tell(.end(connection: number, rest: nil, byCamera: false))
          return false
        }
        _ = tell(.ask(head, connection: number))
        pairs[index].there.send((scheme == "digest" ? head : addressed(head)) + body)
      case .packet(let bytes), .other(let bytes): pairs[index].there.send(bytes)
      }
    }
    return true
  }

  /// From the camera to FFmpeg.
  private mutating func passBack(_ index: Int, _ tell: (Event) -> Int) -> Bool {
    let number = pairs[index].number
    guard let bytes = pairs[index].there.receive() else {
      _ = tell(.end(connection: number, rest: pairs[index].said.finish(), byCamera: true))
      return false
    }
    pairs[index].here.send(bytes)
    for piece in pairs[index].said.add(bytes[...]) { _ = tell(.take(piece, connection: number)) }
    return true
  }

  /// A request's head with the camera's host in its URL instead of ours.
  private func addressed(_ head: [UInt8]) -> [UInt8] {
    let line = String(decoding: head.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    let words = line.split(separator: " ", maxSplits: 1)
    let prefix = "rtsp://" + own
    guard words.count == 2, words[1].hasPrefix(prefix) else { return head }
    let changed = words[0] + " rtsp://" + authority + words[1].dropFirst(prefix.count)
    return Array(changed.utf8) + head[line.utf8.count...]
  }
}
