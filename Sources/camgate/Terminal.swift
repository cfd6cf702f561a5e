import ArgumentParser
import Glibc
import Posix

/// Standard output and standard error, written at once and whole. Everything passes through `Secrets.masked`: no
/// registered secret and nothing that steers a terminal gets there, whatever a camera, a broker or a disk says.
enum Terminal {
  static let standardErrorIsTerminal = isatty(STDERR_FILENO) == 1

  /// The secrets of this process. Whoever reads one registers it here before it is used.
  static let secrets = Secrets()

  /// Writes text to standard error.
  static func writeError(_ text: String) { write(raw: secrets.masked(text)) }

  /// Writes one message to standard error, in which there may be the words of others: they cannot begin a line.
  static func writeError(message: String) { write(raw: secrets.masked(message).indentingLines + "\n") }

  /// Shows how far something is: on a terminal in one line that changes, else in a line each.
  static func showProgress(_ line: String) {
    let line = secrets.masked(line).indentingLines
    write(raw: standardErrorIsTerminal ? "\r\(line)\u{1b}[K" : line + "\n")
  }

  /// Clears the line of `showProgress`.
  static func endProgress() {
    if standardErrorIsTerminal { write(raw: "\r\u{1b}[K") }
  }

  private static func write(raw text: String) { try? Files.write(Array(text.utf8), to: STDERR_FILENO) }

  /// Writes the result of a command to standard output, in lines of our own making; ends with exit code 1 when it cannot
  /// be written.
  static func writeResult(_ text: String) throws {
    try writeResult(lines: text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) })
  }

  /// The same for lines with the words of others in them, who cannot begin a line.
  static func writeResult(lines: [String]) throws {
    if lines.isEmpty { return }
    try writeResult(raw: lines.map { secrets.masked($0).indentingLines }.joined(separator: "\n"))
  }

  /// The same for a JSON object.
  static func writeResult(_ object: JSONObject) throws { try writeResult(raw: object.text(showing: secrets.masked)) }

  /// The same for a line of JSON that was read from a disk.
  static func writeResult(json line: String) throws { try writeResult(raw: JSONObject.withoutSteering(line: line)) }

  private static func writeResult(raw text: String) throws {
    do throws(SystemError) {
      try Files.write(Array((text + "\n").utf8), to: STDOUT_FILENO)
    } catch {
      writeError(message: "standard output: \(describe(errno: error.code))")
      throw ExitCode.failure
    }
  }

  /// Writes a line to standard output; false when nobody reads it any more (EPIPE).
  static func writeLine(_ line: String) -> Bool { writeLine(raw: secrets.masked(line).indentingLines) }

  /// The same for a JSON object.
  static func writeLine(_ object: JSONObject) -> Bool { writeLine(raw: object.text(showing: secrets.masked)) }

  private static func writeLine(raw line: String) -> Bool {
    (try? Files.write(Array((line + "\n").utf8), to: STDOUT_FILENO)) != nil
  }
}
