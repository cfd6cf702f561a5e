import Appliance
import Gateway
import Posix

/// Feeds the board's watchdog as long as no thread of the gateway hangs, and answers `camgate health`. Called once a second
/// by the thread that waits for signals, so that one is watched too. Without a device it feeds nothing.
final class Guardian {
  private let watchdog: Watchdog?
  private let health: HealthSocket.Listener?
  private let log: Log
  private var hanging: [String] = []

  init(device: String?, settings: String, log: Log) {
    self.log = log
    health = Health.listener(settings: settings, log)
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
    let names = gateway.hangingThreads(now: .now())
    let trouble = "no sign of life from: \(names.joined(separator: ", "))"
    health?.answer(names.isEmpty ? Health.well : trouble)
    if names.isEmpty {
      watchdog?.feed()
    } else if names != hanging {
      log.error(trouble + (watchdog == nil ? "" : "; the watchdog will reset the board"))
    }
    hanging = names
  }
}
