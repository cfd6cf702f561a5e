import Posix
import Synchronization
import Testing

/// What a log wrote, line by line.
private final class Lines: Sendable {
  private let lines = Mutex<[String]>([])

  var all: [String] { lines.withLock { $0 } }

  func log(_ level: Log.Level = .debug, _ format: Log.Format = .text, secrets: Secrets = Secrets()) -> Log {
    Log(level: level, format: format, secrets: secrets) { line in self.lines.withLock { $0.append(line) } }
  }
}

@Suite struct LogTests {
  @Test func textLines() throws {
    let lines = Lines()
    let log = lines.log()
    log.info("started")
    log.about("camera gate").warning("slow")
    log.about("camera gate").about("kafka").error("gone")
    try #require(lines.all.count == 3)
    let stamp = #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /#
    for line in lines.all { #expect(line.prefixMatch(of: stamp) != nil) }
    #expect(lines.all[0].hasSuffix("Z info started"))
    #expect(lines.all[1].hasSuffix("Z warning camera gate: slow"))
    #expect(lines.all[2].hasSuffix("Z error kafka: gone"))
  }

  /// All parts of a log change with it.
  @Test func levelAndFormatChangeWhileItIsUsed() {
    let lines = Lines()
    let log = lines.log(.warning)
    let part = log.about("camera gate")
    part.info("unheard")
    log.become(.info, .json)
    part.info("heard")
    #expect(lines.all.count == 1 && lines.all.allSatisfy { $0.contains(#""message":"heard""#) })
  }

  @Test func jsonLines() throws {
    let lines = Lines()
    lines.log(.debug, .json).about("camera gate").debug("two\nlines \"quoted\"")
    let line = try #require(lines.all.first)
    #expect(line.hasPrefix(#"{"time":"2"#))
    #expect(line.hasSuffix(#"Z","level":"debug","subject":"camera gate","message":"two\nlines \"quoted\""}"#))
  }

  @Test(arguments: Log.Level.allCases)
  func writesItsLevelAndAbove(_ level: Log.Level) {
    let lines = Lines()
    let log = lines.log(level)
    log.debug("debug")
    log.info("info")
    log.warning("warning")
    log.error("error")
    #expect(
      lines.all.map { String($0.split(separator: " ").last!) }
        == ["debug", "info", "warning", "error"][level.rawValue...].map { $0 })
    for other in Log.Level.allCases { #expect(log.writes(other) == (other >= level)) }
  }

  @Test func whatIsNotWrittenIsNotComposed() {
    var composed = false
    Lines().log(.error).warning(
      {
        composed = true
        return "never"
      }())
    #expect(!composed)
  }

  /// A camera chooses the words of some messages: they must not look like lines of their own, nor steer a terminal.
  @Test(arguments: [
    "a\nb", "a\r\nb", "a\rb", "a\u{2028}b", "a\u{1b}[2Kb", "a\u{7f}b", "a\u{85}b", "a\u{0}b", "a\u{c}b",
  ])
  func oneEventCannotPassForTwo(_ message: String) throws {
    let lines = Lines()
    lines.log().info(message)
    let line = try #require(lines.all.first)
    let body = line.split(separator: "info ", maxSplits: 1)[1]
    #expect(body.first == "a" && body.last == "b")
    #expect(!body.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\n" })
    for part in body.split(whereSeparator: \.isNewline).dropFirst() { #expect(part.hasPrefix("    ")) }
  }

  @Test(arguments: [Log.Format.text, .json])
  func secretsNeverLeave(_ format: Log.Format) {
    let lines = Lines()
    let secrets = Secrets()
    let log = lines.log(.debug, format, secrets: secrets).about("camera gate")
    secrets.register("hunter2")
    secrets.register("pä\"ss")
    log.error("login hunter2, pä\"ss, p%C3%A4%22ss at rtsp://user:other@camera/1")
    #expect(lines.all.count == 1)
    for secret in ["hunter2", "pä", "%22ss", "other"] { #expect(!lines.all[0].contains(secret)) }
    #expect(lines.all[0].contains("rtsp://***@camera/1"))
  }
}
