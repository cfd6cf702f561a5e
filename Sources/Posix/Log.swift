import Glibc
import Synchronization

// The log: one line an event on standard error, as text for people or JSON for machines. Nothing that was registered
// as a secret ever leaves through it.

/// Writes events of at least `level` for one subject, e.g. "camera gate". Values are cheap to copy and safe to share.
package struct Log: Sendable {
  /// How much an event matters.
  package enum Level: Int, Sendable, Comparable, CaseIterable {
    case debug, info, warning, error

    package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
  }

  /// How a line is written.
  package enum Format: Sendable {
    /// `2026-11-23T19:00:00.123Z warning camera gate: …`
    case text
    /// `{"time":…,"level":…,"subject":…,"message":…}`
    case json
  }

  private let level: Level
  private let format: Format
  private let subject: String
  private let secrets: Secrets
  private let sink: @Sendable (String) -> Void

  /// A log that writes to `sink` (a line without its end); standard error when none is given.
  package init(
    level: Level = .info, format: Format = .text, secrets: Secrets = Secrets(),
    sink: @escaping @Sendable (String) -> Void = Log.writeToStandardError
  ) {
    (self.level, self.format, self.secrets, self.sink) = (level, format, secrets, sink)
    subject = ""
  }

  private init(_ other: Log, subject: String) {
    (level, format, secrets, sink) = (other.level, other.format, other.secrets, other.sink)
    self.subject = subject
  }

  /// The same log speaking of `subject`, which is put in front of every message.
  package func about(_ subject: String) -> Log { Log(self, subject: subject) }

  /// Whether events of `level` are written; spares the work of composing them.
  package func writes(_ level: Level) -> Bool { level >= self.level }

  package func error(_ message: @autoclosure () -> String) { write(.error, message) }
  package func warning(_ message: @autoclosure () -> String) { write(.warning, message) }
  package func info(_ message: @autoclosure () -> String) { write(.info, message) }
  package func debug(_ message: @autoclosure () -> String) { write(.debug, message) }

  private func write(_ level: Level, _ message: () -> String) {
    guard writes(level) else { return }
    let time = DateTime(nanosecondsSince1970: WallClock.nanosecondsSince1970()).text(fractionDigits: 3)
    let text = secrets.masked(message())
    switch format {
    case .text:
      let prefix = subject.isEmpty ? "" : subject + ": "
      sink("\(time) \(level) \(prefix)\(text.indentingLines)")
    case .json:
      var object = JSONObject()
      object.add("time", time)
      object.add("level", "\(level)")
      object.add("subject", subject)
      object.add("message", text)
      sink(object.text)
    }
  }

  /// One write(2) a line, so that lines of several threads never mix.
  package static let writeToStandardError: @Sendable (String) -> Void = { line in
    try? Files.write(Array((line + "\n").utf8), to: STDERR_FILENO)
  }
}

/// Texts that must never be printed. Shared by whoever learns a secret and whoever writes lines.
package final class Secrets: Sendable {
  private let texts = Mutex<[String]>([])

  package init() {}

  /// From now on `secret` is masked, as it is and percent-encoded. A text of less than three bytes cannot be told from
  /// ordinary words and is left to the places that handle it.
  package func register(_ secret: String) {
    let encoded = PercentEncoding.encode(secret)
    for form in [secret, encoded, PercentEncoding.lowercasingEscapes(in: encoded)] where form.utf8.count >= 3 {
      texts.withLock { texts in
        if !texts.contains(form) { texts.append(form) }
        texts.sort { $0.utf8.count > $1.utf8.count }
      }
    }
  }

  /// `text` with every secret replaced by `***`, and every `//user:password@` of an URL by `//***@`.
  package func masked(_ text: String) -> String {
    var result = PercentEncoding.maskingLogins(in: text)
    for secret in texts.withLock({ $0 }) { result = result.replacing(secret, with: "***") }
    return result
  }
}

extension String {
  /// The text with every line but the first indented and without control characters: cameras and brokers choose some of
  /// the words, and must neither write lines of their own nor steer a terminal.
  fileprivate var indentingLines: String {
    var result = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "\n", "\u{85}", "\u{2028}", "\u{2029}": result += "\n    "
      case "\t": result += " "
      case "\r": continue
      case _ where scalar.properties.generalCategory == .control: result += "\u{fffd}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Every occurrence of `part`, byte by byte, replaced. (The standard library's own is in a module that a static
  /// binary would have to link for it alone.)
  package func replacing(_ part: String, with replacement: String) -> String {
    let (text, pattern) = (Array(utf8), Array(part.utf8))
    guard !pattern.isEmpty, text.count >= pattern.count else { return self }
    var result: [UInt8] = []
    var index = 0
    while index < text.count {
      if text.count - index >= pattern.count, text[index..<(index + pattern.count)].elementsEqual(pattern) {
        result += replacement.utf8
        index += pattern.count
      } else {
        result.append(text[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
