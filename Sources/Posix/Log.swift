import Glibc
import Synchronization

// The log: one line an event on standard error, as text for people or JSON for machines. Every message passes through
// `Secrets.masked`: nothing that was registered as a secret leaves through it, and nothing that steers a terminal. Who says
// too much is cut short (LogLimit), except at level `debug`, which is asked for.

/// Writes events of at least `level` for one subject, e.g. "camera gate". Values are cheap to copy and safe to share.
package struct Log: Sendable {
  /// How much an event matters.
  package enum Level: Int, Sendable, Comparable, CaseIterable {
    case debug, info, warning, error

    /// Its number for syslog(3).
    var priority: Int {
      switch self {
      case .debug: 7
      case .info: 6
      case .warning: 4
      case .error: 3
      }
    }

    package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
  }

  /// Whether standard error leads to the journal of systemd (systemd.exec(5), $JOURNAL_STREAM).
  package static var isJournal: Bool {
    guard let named = getenv("JOURNAL_STREAM") else { return false }
    var status = stat()
    return fstat(STDERR_FILENO, &status) == 0 && String(cString: named) == "\(status.st_dev):\(status.st_ino)"
  }

  /// How a line is written.
  package enum Format: Sendable {
    /// `2026-11-23T19:00:00.123Z warning camera gate: …`
    case text
    /// `{"time":…,"level":…,"subject":…,"message":…}`
    case json
  }

  private let style: LogStyle
  private let subject: String
  /// What is hidden in every message. Whoever learns a secret registers it here before it can be repeated to us.
  package let secrets: Secrets
  private let limit: LogLimit
  private let hasPriorities: Bool
  private let now: @Sendable () -> MonotonicTime
  private let sink: @Sendable (String) -> Void

  /// A log that writes to `sink` (a line without its end); standard error when none is given. `now` tells how fast lines
  /// come; tests play it. `hasPriorities`: each line begins with its level as the journal reads it (sd-daemon(3)).
  package init(
    level: Level = .info, format: Format = .text, secrets: Secrets = Secrets(), hasPriorities: Bool = false,
    sink: @escaping @Sendable (String) -> Void = Log.writeToStandardError,
    now: @escaping @Sendable () -> MonotonicTime = { .now() }
  ) {
    (self.secrets, self.now, self.sink) = (secrets, now, sink)
    self.hasPriorities = hasPriorities
    style = LogStyle(level, format)
    limit = LogLimit()
    subject = ""
  }

  private init(_ other: Log, subject: String) {
    (style, secrets, sink) = (other.style, other.secrets, other.sink)
    (limit, now, hasPriorities) = (other.limit, other.now, other.hasPriorities)
    self.subject = subject
  }

  /// The same log speaking of `subject`, which is put in front of every message.
  package func about(_ subject: String) -> Log { Log(self, subject: subject.withoutSteering) }

  /// Whether events of `level` are written; spares the work of composing them.
  package func writes(_ level: Level) -> Bool { level >= style.level }

  /// From now on events of at least `level` are written, in this form, by all that share this log.
  package func become(_ level: Level, _ format: Format) { style.become(level, format) }

  package func error(_ message: @autoclosure () -> String) { write(.error, message) }
  package func warning(_ message: @autoclosure () -> String) { write(.warning, message) }
  package func info(_ message: @autoclosure () -> String) { write(.info, message) }
  package func debug(_ message: @autoclosure () -> String) { write(.debug, message) }

  /// The last line: what was left out is said before it, and nothing after it, whoever still has a part of this log.
  package func end(_ level: Level, _ message: String) {
    writeOmissions(isLast: true)
    limit.close()
    if writes(level) { write(level, subject, message) }
  }

  private func write(_ level: Level, _ message: () -> String) {
    guard writes(level), !limit.isClosed else { return }
    let message = message()
    guard level != .debug else { return write(level, subject, message) }
    let (isAllowed, omission) = limit.take(LogLimit.Key(subject: subject, level: level), message, now: now())
    for line in omission?.lines ?? [] { write(level, subject, line) }
    if isAllowed { write(level, subject, message) }
  }

  /// Says what was left out of the log because it was too much. To be called now and then: a subject that floods the log
  /// and falls silent says no more itself. `isLast`: at the end, at once.
  package func writeOmissions(isLast: Bool = false) {
    for (key, omission) in limit.takeOmissions(now: now(), isLast: isLast) {
      for line in omission.lines { write(key.level, key.subject, line) }
    }
  }

  private func write(_ level: Level, _ subject: String, _ message: String) {
    let time = DateTime(nanosecondsSince1970: WallClock.nanosecondsSince1970()).text(fractionDigits: 3)
    let text = secrets.masked(message)
    let priority = hasPriorities ? "<\(level.priority)>" : ""
    switch style.format {
    case .text:
      let prefix = subject.isEmpty ? "" : subject + ": "
      let lines = "\(time) \(level) \(prefix)\(text.indentingLines)"
      // The journal takes each line for itself.
      sink(lines.split(separator: "\n", omittingEmptySubsequences: false).map { priority + $0 }.joined(separator: "\n"))
    case .json:
      var object = JSONObject()
      object.add("time", time)
      object.add("level", "\(level)")
      object.add("subject", subject)
      object.add("message", text)
      sink(priority + object.text)
    }
  }

  /// One write(2) a line, so that lines of several threads never mix.
  package static let writeToStandardError: @Sendable (String) -> Void = { line in
    try? Files.write(Array((line + "\n").utf8), to: STDERR_FILENO)
  }
}

/// How a log writes; shared by all its parts, and changed while they do.
private final class LogStyle: Sendable {
  private let rawLevel: Atomic<Int>
  private let isJSON: Atomic<Bool>

  init(_ level: Log.Level, _ format: Log.Format) {
    rawLevel = Atomic(level.rawValue)
    isJSON = Atomic(format == .json)
  }

  var level: Log.Level { Log.Level(rawValue: rawLevel.load(ordering: .relaxed)) ?? .info }
  var format: Log.Format { isJSON.load(ordering: .relaxed) ? .json : .text }

  func become(_ level: Log.Level, _ format: Log.Format) {
    rawLevel.store(level.rawValue, ordering: .relaxed)
    isJSON.store(format == .json, ordering: .relaxed)
  }
}
