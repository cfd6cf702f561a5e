import Glibc
import Posix

// getaddrinfo(3) cannot be interrupted, and a name server that does not answer holds it for minutes. So names are looked
// up on a thread of their own first; FFmpeg, which looks them up again, then finds a resolver that answers.

/// Looks up the host of one camera. At most one look-up is under way at a time.
final class Resolver: Sendable {
  private struct State {
    var isRunning = false
    /// getaddrinfo's answer; nil until it has come.
    var answer: Int32?
  }

  private let state = Monitor(State())
  private let lookUp: @Sendable (String) -> Int32

  /// `lookUp` gives getaddrinfo's return value for a host name.
  init(lookUp: @escaping @Sendable (String) -> Int32 = Resolver.getaddrinfo) { self.lookUp = lookUp }

  /// Returns once `host` is known to resolve; throws when it does not, or not by the interrupt's deadline.
  func resolve(_ host: String, interrupt: Interrupt) throws(CaptureError) {
    let isStarting = state.withLock { state -> Bool in
      defer { (state.isRunning, state.answer) = (true, nil) }
      return !state.isRunning
    }
    if isStarting {
      _ = Thread.start(name: "resolve") { [state, lookUp] in
        let answer = lookUp(host)
        state.withLock { ($0.isRunning, $0.answer) = (false, answer) }
      }
    }
    while !interrupt.isDue {
      guard let answer = state.wait(until: .now() + .milliseconds(100), for: { $0.answer }) else { continue }
      if answer == 0 { return }
      throw CaptureError(
        .unreachable,
        "the name '\(host)' does not resolve (\(String(cString: gai_strerror(answer))))\(Resolver.remedy(for: host))")
    }
    if interrupt.isStopped { throw CaptureError(.stopped, "stopped") }
    throw CaptureError(.unreachable, "no name server answers for '\(host)'")
  }

  /// Names under .local are asked of the machines themselves (multicast DNS, RFC 6762, section 3), through a module of the
  /// C library that a static program cannot load.
  private static func remedy(for host: String) -> String {
    let name = host.lowercased()
    return name.hasSuffix(".local") || name.hasSuffix(".local.")
      ? ": names under .local need multicast DNS, which the static build does not speak (others: install libnss-mdns); "
        + "write the camera's address, or a name that a name server knows" : ""
  }

  private static let getaddrinfo: @Sendable (String) -> Int32 = { host in
    var result: UnsafeMutablePointer<addrinfo>?
    defer { if result != nil { freeaddrinfo(result) } }
    return Glibc.getaddrinfo(host.first == "[" ? String(host.dropFirst().dropLast()) : host, nil, nil, &result)
  }
}
