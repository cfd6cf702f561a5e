import CPosix
import Glibc
import Posix

// The board's watchdog (Documentation/watchdog/watchdog-api.rst of Linux): hardware that resets the board unless it is
// fed. It stays armed when the process dies, so whoever starts the process anew has as long as its timeout.

/// An armed watchdog.
package final class Watchdog: Sendable {
  /// What is asked for; the hardware may allow less.
  static let wantedSeconds: Int32 = 30

  private let descriptor: Int32
  /// After how many seconds without feeding the board is reset.
  package let timeoutSeconds: Int

  /// Arms the watchdog at `path`.
  package init(path: String) throws(SystemError) {
    descriptor = try retryingInterrupts("open \(path)") { open(path, O_WRONLY | O_CLOEXEC) }
    // A driver with one fixed timeout refuses to change it and says which it is.
    timeoutSeconds = Int(camgate_watchdog_timeout(descriptor, Watchdog.wantedSeconds))
    feed()
  }

  deinit { close(descriptor) }

  /// The board is fine for another `timeoutSeconds`.
  package func feed() { try? Files.write([0], to: descriptor) }
}
