import Posix
import Synchronization

// What a camera is doing, for whoever asks, and one line of the log for each change; what is repeated is said quietly.

/// The state of one camera. Changed by its thread, read by any.
final class CurrentState: Sendable {
  private let current = Mutex<Camera.State?>(nil)
  private let log: Log

  init(log: Log) { self.log = log }

  var state: Camera.State { current.withLock { $0 } ?? .connecting }

  /// Takes a new state; says so, unless it is the old one or `isRepeated`.
  func become(_ state: Camera.State, isRepeated: Bool = false) {
    let before = current.withLock { current in
      defer { current = state }
      return current
    }
    guard before != state else { return }
    switch state {
    case .connecting: log.debug("connecting")
    case .streaming: log.info(state.summary(now: .now()))
    case .stalled(let since): log.warning("no frame for \(rounded(.now() - since)) s")
    case .waiting(let error, let until):
      let text = "\(error.message); retry in \(rounded(until - .now())) s"
      // Only a login that never worked is kept waiting so long.
      if until - .now() >= LoginTries.pauses[0] {
        log.warning("\(text), for cameras lock a login that fails often; SIGHUP or a restart tries at once")
        return
      }
      let later = error.disposition == .retrySlowly ? "every 3 to 30 s" : "at growing intervals up to 30 s"
      if isRepeated { log.debug(text) } else { log.warning("\(text), then \(later)") }
    case .finished(let error): if !isRepeated { log.info(error.message) }
    }
  }

  /// No frame has come since `start`: half of the time after which the connection is given up.
  func stall(since start: MonotonicTime) {
    if case .streaming = state { become(.stalled(since: start)) }
  }

  private func rounded(_ pause: Duration) -> String {
    let tenths = max(0, pause.nanoseconds + 99_999_999) / 100_000_000
    return "\(tenths / 10).\(tenths % 10)"
  }
}
