import ArgumentParser
import Glibc
import Posix

/// Standard output and standard error, written at once and whole.
enum Terminal {
  static let standardErrorIsTerminal = isatty(STDERR_FILENO) == 1

  /// Writes text to standard error.
  static func writeError(_ text: String) { try? Files.write(Array(text.utf8), to: STDERR_FILENO) }

  /// Writes the result of a command to standard output; ends with exit code 1 when it cannot be written.
  static func writeResult(_ text: String) throws {
    do throws(SystemError) {
      try Files.write(Array((text + "\n").utf8), to: STDOUT_FILENO)
    } catch {
      writeError("standard output: \(describe(errno: error.code))\n")
      throw ExitCode.failure
    }
  }

  /// Writes a line to standard output; false when nobody reads it any more (EPIPE).
  static func writeLine(_ line: String) -> Bool {
    (try? Files.write(Array((line + "\n").utf8), to: STDOUT_FILENO)) != nil
  }
}
