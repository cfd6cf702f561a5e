import Broker
import Gateway
import Posix
import Sandboxing
import Settings

// SIGHUP: the whole settings file is read again. What can change while the gateway runs does, the rest is said to need a
// restart, with its line. A file with errors changes nothing.

/// Takes a new settings file over.
struct Reloader {
  let file: String
  /// The ring's directory when the settings name none.
  let ring: String?
  let sandbox: Sandbox
  let log: Log

  /// `settings` are those in use.
  func reload(_ gateway: Gateway, _ settings: inout Configuration) {
    let sandbox = sandbox
    let file = SettingsFile(path: file) { !sandbox.allowsReading($0) }
    var diagnostics = file.allDiagnostics
    file.registerSecrets(in: log.secrets)
    guard var new = file.configuration, !diagnostics.hasErrors else {
      log.warning(diagnostics.rendered(in: file.source))
      return log.error("the settings have errors; the old ones stay")
    }
    new.buffer.directory = new.buffer.directory ?? ring
    diagnostics += RestartNeeds.diagnostics(from: settings, to: new, in: file)
    keepWhatIsGivenUp(&new, of: settings, in: file, &diagnostics)
    if !diagnostics.isEmpty { log.warning(diagnostics.rendered(in: file.source)) }
    do throws(GatewayError) {
      let changes = try gateway.change(to: GatewayPlan(new).cameras)
      log.info("settings read again: \(changes.summary)")
      settings.cameras = new.cameras
    } catch {
      log.error("the cameras stay as they were: \(error.message)")
    }
    let known = Set(Exposure.warnings(settings))
    // librdkafka reads certificates when a client is made, whether their names are new or not.
    let isSecured = [settings, new].contains { $0.kafka.tls != nil || $0.kafka.sasl != nil }
    if isSecured { gateway.renew(Security(new.kafka)) }
    gateway.retryNow()
    log.become(new.log.logLevel, new.log.logFormat)
    (settings.stopTimeout, settings.log) = (new.stopTimeout, new.log)
    (settings.kafka.tls, settings.kafka.sasl, settings.kafka.topic) = (new.kafka.tls, new.kafka.sasl, new.kafka.topic)
    settings.secretFiles = new.secretFiles
    for warning in Exposure.warnings(new) where !known.contains(warning) { log.warning(warning) }
  }

  /// What the sandbox, which was built for the old settings, does not let the new ones do stays as it was.
  private func keepWhatIsGivenUp(
    _ new: inout Configuration, of old: Configuration, in file: SettingsFile, _ diagnostics: inout [Diagnostic]
  ) {
    if case .tokenCommand(let line)? = new.kafka.sasl,
      CommandHelper.installed.withLock({ $0.map { !$0.knows(line) } ?? (sandbox.isEntered) })
    {
      diagnostics.append(file.restartNeeded("kafka.sasl", "in the sandbox only the command of the start can be run"))
      new.kafka.sasl = old.kafka.sasl
    }
    new.cameras = new.cameras.compactMap { camera in
      guard let path = camera.whatIsGivenUp(in: sandbox) else { return camera }
      let what = "camera \(camera.description.name): \(path) is outside of the sandbox, which was built at the start"
      diagnostics.append(file.restartNeeded("cameras", what))
      return old.cameras.first { $0.description.name == camera.description.name }
    }
  }
}

extension Configuration.LogSettings {
  var logLevel: Log.Level {
    switch level {
    case .debug: .debug
    case .info: .info
    case .warning: .warning
    case .error: .error
    }
  }

  var logFormat: Log.Format {
    switch format {
    case .text: .text
    case .json: .json
    }
  }
}
