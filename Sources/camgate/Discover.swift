import ArgumentParser
import Discovery
import Posix

/// `camgate discover`
struct Discover: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find cameras on the local network (ONVIF WS-Discovery).",
    discussion: """
      Asks on every network this machine is on, and lists each camera that answers with address, name and model. With a \
      login also the addresses of its streams, ready for `camgate probe` and for `url` in the settings; a camera that \
      refuses the login is listed with the reason. Examples:

        camgate discover
        camgate discover --username viewer --password-file gate.password

      Cameras do not answer when ONVIF or its discovery is switched off in them, or when they are behind a router. The \
      login goes, as a digest (in the SOAP header, or HTTP Digest where the camera asks for that) and no more than once \
      when it is refused, to every device that answers: use one that may only view.
      """)

  @Flag(help: "Print one JSON object.")
  var json = false

  @Option(parsing: .unconditional, help: "How long to wait for answers.")
  var seconds = 4

  @Option(help: "Ask on this network interface only, as eth0.")
  var interface: String?

  @OptionGroup var camera: CameraLogin

  func validate() throws {
    if !(1...600).contains(seconds) { throw ValidationError("--seconds must be from 1 to 600") }
  }

  func run() throws {
    let login = try login()
    if let login { Terminal.secrets.register(login.password, username: login.username) }
    let signals = Signals()
    var discoverer: Discoverer
    do throws(DiscoveryError) { discoverer = try Discoverer(interface: interface) } catch {
      Terminal.writeError(message: "camgate: \(error.message)")
      throw ExitCode.failure
    }
    Terminal.writeError(message: "asking the network; answers for \(seconds) s")
    var devices = discoverer.search(
      for: .seconds(seconds), found: { Terminal.writeError(message: "found \($0.address)") },
      isInterrupted: { signals.next(until: .now()) == .stop })
    if let login, !devices.isEmpty {
      let whom = devices.count == 1 ? "it for its" : "all \(devices.count) for their"
      Terminal.writeError(message: "asking \(whom) streams")
      devices = Discoverer.describe(devices, login: login)
    }
    if json {
      var object = JSONObject()
      object.add("devices", devices.map(\.json))
      try Terminal.writeResult(object)
    } else if devices.isEmpty {
      Terminal.writeError(
        message: "no camera has answered; is ONVIF switched on in them, and are they on this network?")
    } else {
      try Terminal.writeResult(devices.map(\.text).joined(separator: "\n"))
      Terminal.writeError(message: hint(for: devices.flatMap(\.streams), hasLogin: login != nil))
    }
  }

  private func hint(for streams: [DiscoveredStream], hasLogin: Bool) -> String {
    if !hasLogin { return "--username and --password-file bring the addresses of the streams" }
    let elsewhere = streams.count { $0.isElsewhere }
    let warning = "a stream on another host may be a trap for the login: ask whoever runs that host"
    if elsewhere == streams.count, elsewhere > 0 { return warning }
    return "camgate probe, with one of these URLs and the same login, looks at the pictures"
      + (elsewhere > 0 ? "; \(warning)" : "")
  }

  private func login() throws -> ONVIFLogin? {
    guard let username = camera.username else { return nil }
    guard let passwordFile = camera.passwordFile else { return ONVIFLogin(username: username, password: "") }
    do throws(SystemError) {
      return ONVIFLogin(username: username, password: try Files.readPassword(passwordFile))
    } catch {
      Terminal.writeError(message: "camgate: --password-file: \(error)")
      throw ExitCode(64)
    }
  }
}
