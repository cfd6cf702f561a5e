import ArgumentParser
import Broker
import Gateway
import Posix
import Sandboxing
import Settings

/// `camgate run FILE`
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the gateway with a settings file.",
    discussion: """
      Runs until SIGTERM or SIGINT: then the cameras stop, what Kafka has not acknowledged is written to disk (with \
      buffer.directory), delivery goes on for stop_timeout, what is left is counted and said, and the exit code is 0. A \
      second signal ends the wait. Cameras or brokers that are away, also at the start, are tried again for ever. The \
      log goes to standard error.
      """)

  @Argument(help: "The settings file (YAML); image/config/camgate.yaml is the commented sample.")
  var file: String

  @Option(
    help: ArgumentHelp(
      "The board's watchdog, as /dev/watchdog: it resets the board once the gateway hangs.", valueName: "device"))
  var watchdog: String?

  @Option(help: ArgumentHelp("The ring's directory when the settings name none.", valueName: "directory"))
  var ring: String?

  func run() throws {
    // Before there is a secret in this process.
    let helper = try? CommandHelper()
    var settings = try loadSettings(file)
    settings.buffer.directory = settings.buffer.directory ?? ring
    let signals = Signals()
    let log = Log(
      level: settings.log.logLevel, format: settings.log.logFormat, secrets: Terminal.secrets,
      hasPriorities: Log.isJournal)
    log.info("camgate \(Version.number), gateway '\(settings.gateway)', \(counted(settings.cameras.count, "camera"))")
    for warning in Exposure.warnings(settings) { log.warning(warning) }
    // What comes from here on opens nothing that the sandbox would have to allow for it.
    let guardian = Guardian(device: watchdog, settings: file, log: log)
    let sandbox = enterSandbox(settings, helper, log)
    var plan = GatewayPlan(settings)
    plan.disk?.onSecured = SecuredReport(cameras: plan.cameras.map(\.description.name.text))?.report
    let gateway = Gateway(plan, log: log)
    do throws(GatewayError) { try gateway.start() } catch {
      log.error("the Kafka client does not start: \(error.message)")
      throw ExitCode.failure
    }
    var reporter = GatewayReporter(now: .now())
    let reloader = Reloader(file: file, ring: ring, sandbox: sandbox, log: log)
    watch(gateway, reloader, &settings, &reporter, guardian, signals, log)
    stop(gateway, after: settings.stopTimeout, &reporter, signals, log)
  }

  /// Reports until a signal asks to stop.
  private func watch(
    _ gateway: Gateway, _ reloader: Reloader, _ settings: inout Configuration, _ reporter: inout GatewayReporter,
    _ guardian: Guardian, _ signals: Signals, _ log: Log
  ) {
    while true {
      guardian.look(at: gateway)
      switch signals.next(until: .now() + .seconds(1)) {
      case .stop: return
      case .reload: reloader.reload(gateway, &settings)
      case nil: break
      }
      say(reporter.lines(for: gateway.snapshot, now: .now()), log)
      log.writeOmissions()
    }
  }

  private func say(_ lines: [GatewayReporter.Line], _ log: Log) {
    for line in lines {
      switch line {
      case .info(let text): log.info(text)
      case .warning(let text): log.warning(text)
      }
    }
  }

  /// Gives up what these settings do not need.
  private func enterSandbox(_ settings: Configuration, _ helper: CommandHelper?, _ log: Log) -> Sandbox {
    let command: String? = if case .tokenCommand(let line)? = settings.kafka.sasl { line } else { nil }
    let isKerberos = settings.kafka.properties.contains { $0.name.hasPrefix("sasl.mechanism") && $0.value == "GSSAPI" }
    var reason = settings.sandbox == .off ? "sandbox: off" : isKerberos ? "Kerberos starts programs" : nil
    if command != nil, helper == nil { reason = reason ?? "there is no process to run kafka.sasl.token_command" }
    // Without a command there is nothing for a helper to do.
    try? helper?.learn(reason == nil ? command : nil)
    if let reason {
      log.warning("no sandbox: \(reason)")
      return .none
    }
    if command != nil { CommandHelper.installed.withLock { $0 = helper } }
    return Sandbox(FileRules(settings, file: file), log: log)
  }

  private func stop(
    _ gateway: Gateway, after timeout: Duration, _ reporter: inout GatewayReporter, _ signals: Signals, _ log: Log
  ) {
    log.info("stopping: cameras first, then delivery goes on for up to \(timeout.inSeconds) s")
    gateway.stopCameras()
    let left = gateway.drain(for: timeout) { signals.next(until: .now()) == .stop }
    let snapshot = gateway.snapshot
    let totals =
      "\(snapshot.capturedCount) frames captured, \(snapshot.delivery.acknowledgedCount) acknowledged, "
      + "\(snapshot.droppedCount) dropped"
    let disk = left.onDisk == 0 ? "" : ", \(left.onDisk) wait on disk for the next start"
    say(reporter.remainingDrops(in: snapshot, now: .now()), log)
    if left.lost > 0 {
      log.end(.warning, "stopped; \(totals)\(disk), \(left.lost) not delivered and lost")
    } else {
      log.end(.info, "stopped; \(totals)\(disk.isEmpty ? ", none left behind" : disk)")
    }
  }
}
