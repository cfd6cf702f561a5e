import Foundation
import Posix
import Testing

@testable import Sandboxing

/// What ran in a gateway's sandbox, and what that refused.
final class Confined: Sendable {
  private let lines = Monitor<[String]>([])

  /// What the log of the sandbox says, but for its state.
  var refusals: [String] { lines.withLock { $0.filter { !$0.contains("info sandbox: ") } } }

  /// Runs `body` on a thread of its own, in the sandbox of the static binary: the threads that it starts are bound like
  /// itself, the other ones of this process are not. CAMGATE_SANDBOX=off compares.
  func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
    let outcome = Monitor<Swift.Result<Result, any Error>?>(nil)
    let lines = lines
    _ = Posix.Thread.start(name: "confined") {
      if ProcessInfo.processInfo.environment["CAMGATE_SANDBOX"] != "off" {
        let log = Log { line in lines.withLock { $0.append(line) } }
        _ = Sandbox(.ofLibraries, .expectedOnly, bindsAll: false, log: log)
      }
      let result = Swift.Result { try body() }
      outcome.withLock { $0 = result }
    }
    return try #require(outcome.wait(until: .now() + .hangLimit) { $0 }).get()
  }
}
