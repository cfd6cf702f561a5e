import Appliance
import Gateway
import Posix

/// Feeds the board's watchdog as long as no thread of the gateway hangs. Called once a second by the thread that waits for
/// signals, so that one is watched too. Without a device it watches nothing.
final class Guardian {
  private let watchdog: Watchdog?
  private let log: Log
  private var hanging: [String] = []

  init(device: String?, log: Log) {
    self.log = log
    guard let device else {
      watchdog = nil
      return
    }
    do throws(SystemError) {
      let watchdog = try Watchdog(path: device)
      log.info("the watchdog resets the board \(watchdog.timeoutSeconds) s after the gateway hangs")
      self.watchdog = watchdog
    } catch {
      log.warning("no watchdog: \(error); a gateway that hangs stays so")
      watchdog = nil
    }
  }

  func look(at gateway: Gateway) {
    guard let watchdog else { return }
    let names = gateway.hangingThreads(now: .now())
    if names.isEmpty {
      watchdog.feed()
    } else if names != hanging {
      log.error("no sign of life from: \(names.joined(separator: ", ")); the watchdog will reset the board")
    }
    hanging = names
  }
}
