import ArgumentParser
import Glibc
import Posix

/// `camgate health FILE`
struct Health: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask the gateway that runs with a settings file whether it is well.",
    discussion: """
      Ends with 0 while the gateway's own threads make progress, also while cameras or Kafka are away, and with 1 when \
      one hangs, when it does not answer within five seconds, or when no gateway runs with this file here. For the \
      health checks of containers and for watchdogs. Both must be in the same network namespace.
      """)

  @Argument(help: "The settings file that the gateway was started with.")
  var file: String

  /// The gateway looks for questions once a second.
  static let patience = Duration.seconds(5)

  func run() throws {
    let answer: String?
    do throws(SystemError) {
      answer = try HealthSocket.ask(settings: file, until: .now() + Health.patience)
    } catch {
      let isAbsent = error.code == ECONNREFUSED
      Terminal.writeError(message: isAbsent ? "no gateway runs with \(file) here" : "\(error)")
      throw ExitCode.failure
    }
    guard let answer else {
      Terminal.writeError(message: "the gateway does not answer")
      throw ExitCode.failure
    }
    try Terminal.writeResult(answer)
    if answer != Health.well { throw ExitCode.failure }
  }

  static let well = "well"

  /// The gateway's side; nil when it cannot be asked.
  static func listener(settings path: String, _ log: Log) -> HealthSocket.Listener? {
    do throws(SystemError) { return try HealthSocket.Listener(settings: path) } catch {
      log.warning("camgate health cannot ask this gateway: \(error)")
      return nil
    }
  }
}
