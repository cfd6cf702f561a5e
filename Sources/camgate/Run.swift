import ArgumentParser
import Broker
import Gateway
import Posix
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
    var settings = try loadSettings(file)
    settings.buffer.directory = settings.buffer.directory ?? ring
    let signals = Signals()
    let log = Log(level: settings.log.logLevel, format: settings.log.logFormat, secrets: Terminal.secrets)
    log.info("camgate \(Version.number), gateway '\(settings.gateway)', \(counted(settings.cameras.count, "camera"))")
    for warning in Exposure.warnings(settings) { log.warning(warning) }
    var plan = GatewayPlan(settings)
    plan.disk?.onSecured = SecuredReport(cameras: plan.cameras.map(\.description.name.text))?.report
    let gateway = Gateway(plan, log: log)
    do throws(GatewayError) { try gateway.start() } catch {
      log.error("the Kafka client does not start: \(error.message)")
      throw ExitCode.failure
    }
    var reporter = GatewayReporter(now: .now())
    let guardian = Guardian(device: watchdog, log: log)
    watch(gateway, &settings, &reporter, guardian, signals, log)
    stop(gateway, after: settings.stopTimeout, &reporter, signals, log)
  }

  /// Reports until a signal asks to stop.
  private func watch(
    _ gateway: Gateway, _ settings: inout Configuration, _ reporter: inout GatewayReporter, _ guardian: Guardian,
    _ signals: Signals, _ log: Log
  ) {
    while true {
      guardian.look(at: gateway)
      switch signals.next(until: .now() + .seconds(1)) {
      case .stop: return
      case .reload: reload(gateway, &settings, log)
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

  /// The whole file is read again: what can change while the gateway runs does, the rest is said to need a restart. A file
  /// with errors changes nothing. `settings` are those in use.
  private func reload(_ gateway: Gateway, _ settings: inout Configuration, _ log: Log) {
    let file = SettingsFile(path: file)
    let diagnostics = file.allDiagnostics
    file.registerSecrets(in: log.secrets)
    if !diagnostics.isEmpty { log.warning(diagnostics.rendered(in: file.source)) }
    guard var new = file.configuration, !diagnostics.hasErrors else {
      return log.error("the settings have errors; the old ones stay")
    }
    new.buffer.directory = new.buffer.directory ?? ring
    let needs = RestartNeeds.diagnostics(from: settings, to: new, in: file)
    if !needs.isEmpty { log.warning(needs.rendered(in: file.source)) }
    do throws(GatewayError) {
      let changes = try gateway.change(to: GatewayPlan(new).cameras)
      log.info("settings read again: \(changes.summary)")
      settings.cameras = new.cameras
    } catch {
      log.error("the cameras stay as they were: \(error.message)")
    }
    // librdkafka reads certificates when a client is made, whether their names are new or not.
    let isSecured = [settings, new].contains { $0.kafka.tls != nil || $0.kafka.sasl != nil }
    if isSecured { gateway.renew(Security(new.kafka)) }
    gateway.retryNow()
    log.become(new.log.logLevel, new.log.logFormat)
    (settings.stopTimeout, settings.log) = (new.stopTimeout, new.log)
    (settings.kafka.tls, settings.kafka.sasl, settings.kafka.topic) = (new.kafka.tls, new.kafka.sasl, new.kafka.topic)
    for warning in Exposure.warnings(new) { log.warning(warning) }
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

extension Configuration.LogSettings {
  fileprivate var logLevel: Log.Level {
    switch level {
    case .debug: .debug
    case .info: .info
    case .warning: .warning
    case .error: .error
    }
  }

  fileprivate var logFormat: Log.Format {
    switch format {
    case .text: .text
    case .json: .json
    }
  }
}
