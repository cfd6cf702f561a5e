import ArgumentParser
import Backlog
import Capture
import DiskRing
import Frames
import Gateway
import Glibc
import Posix
import Settings

/// `camgate probe URL|DEVICE`
struct Probe: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look at one camera for some seconds: does it work, and what does it send?",
    discussion: """
      Connects as `camgate run` does, and says what the camera really sends: codec, size, frames a second, bitrate, \
      keyframe interval, clock and losses; or why it does not work and what to do about it. Needs no settings file and no \
      Kafka. Examples:

        camgate probe rtsp://10.0.0.21/stream1 --username viewer --password-file gate.password
        camgate probe usb:SN123 --format "mjpeg 1280x720@15" --picture desk.jpg

      With --record what the camera and Camgate said to each other is kept, up to 2 MiB and 10 s of packets: a report of \
      a fault that can be played again. The file has no login, no answers to a challenge and no addresses, but pictures \
      of the camera; only its owner may read it, and it never replaces another. Over TCP and without TLS only; what \
      comes from another place after a redirect is not in it.

      `camgate discover` finds cameras on the network, `camgate devices` those that are plugged in. Progress goes to \
      standard error. Ends with exit code 0 when the camera works, 1 when it does not, 64 when the command is wrong.
      """)

  @Argument(
    help: "rtsp://HOST[:PORT]/PATH, usb:SERIAL, /dev/video0, /dev/v4l/by-id/…, file:PATH or test:WIDTHxHEIGHT@FPS.")
  var camera: String

  @Option(parsing: .unconditional, help: "How long to measure, from the first frame on.")
  var seconds = 10

  @Flag(help: "Print one JSON object.")
  var json = false

  @Option(help: "Save a whole picture (JPEG) in this file; waits for one up to 30 s longer.")
  var picture: String?

  @Option(help: "Write the RTSP dialogue and the first packets, as a report of a fault, into this new file.")
  var record: String?

  @OptionGroup var login: CameraLogin

  @Option(help: "digest, or basic: tell the password in clear to a camera without TLS that asks for that.")
  var auth: String?

  @Option(help: "tcp, udp or auto, of an rtsp camera.")
  var transport: String?

  @Option(help: "PEM file of the authorities that an rtsps camera's certificate may be signed by.")
  var ca: String?

  @Flag(help: "Do not check the certificate of an rtsps camera.")
  var insecure = false

  @Option(help: "Encoding, size and rate to ask a device for, as \"mjpeg 1280x720@15\".")
  var format: String?

  @Option(
    help: ArgumentHelp(
      "Show and use what the gateway with this buffer.directory has learnt about the camera.", valueName: "directory"))
  var ring: String?

  @Flag(help: "Show what `camgate run` would log.")
  var verbose = false

  func validate() throws {
    if !(1...86_400).contains(seconds) { throw ValidationError("--seconds must be from 1 to 86400") }
  }

  func run() throws {
    let keys = [
      ("username", login.username), ("password_file", login.passwordFile), ("auth", auth), ("transport", transport),
      ("format", format), ("tls.ca", ca), ("tls.verify", insecure ? "false" : nil),
    ].compactMap { name, value in value.map { (name: name, value: $0) } }
    let argument = CameraArgument(place: camera, keys: keys)
    argument.registerSecrets(in: Terminal.secrets)
    for warning in argument.warnings { Terminal.writeError(message: "camgate: \(warning)") }
    guard let description = argument.description else {
      for error in argument.errors { Terminal.writeError(message: "camgate: \(error)") }
      throw ExitCode(64)
    }
    let recording = try record.map { try ProbeRecording($0, of: description) }
    let signals = Signals()
    let secrets = Terminal.secrets
    let log = verbose ? Log(level: .debug, secrets: secrets) : Log(secrets: secrets) { _ in }
    let probe = CameraProbe(
      description, learnt: try learnt(of: description), log: log, recorder: recording?.recorder)
    let report = probe.run(for: .seconds(seconds), needsPicture: picture != nil, progress: show) {
      signals.next(until: .now()) == .stop
    }
    Terminal.endProgress()
    let isRecorded = recording?.save() ?? true
    let isSaved = try savePicture(of: probe, report) && isRecorded
    try json ? Terminal.writeResult(report.json) : Terminal.writeResult(lines: report.lines)
    if !report.works || !isSaved { throw ExitCode.failure }
  }

  /// What a gateway has learnt about the camera; nil when none is named.
  private func learnt(of description: CameraDescription) throws -> Learnt? {
    guard let ring else { return nil }
    do throws(RingError) { return LearntFile(text: try learntText(inRing: ring)).known(of: description) } catch {
      Terminal.writeError(message: "camgate: \(error)")
      throw ExitCode.failure
    }
  }

  private func show(_ progress: CameraProbe.Progress) {
    switch progress {
    case .connecting: Terminal.writeError(message: "connecting")
    case .streaming(let codec, let width, let height, let time):
      Terminal.writeError(
        message: "\(codec) \(width)x\(height), first frame after \(number(time.inSeconds)) s; "
          + "measuring for \(seconds) s")
    case .measured(let meter):
      let text =
        "\(number(meter.seconds)) s: \(meter.frameCount) frames, \(number((meter.bitrate ?? 0) / 1e6)) Mbit/s, "
        + "\(meter.gaps.count) losses"
      Terminal.showProgress(text)
    }
  }

  private func savePicture(of probe: CameraProbe, _ report: ProbeReport) throws -> Bool {
    guard let picture, report.meter.frameCount > 0 else { return true }
    guard let jpeg = probe.picture() else {
      Terminal.writeError(message: "camgate: the camera's picture cannot be decoded: \(picture) was not written")
      return false
    }
    do throws(SystemError) {
      let descriptor = try retryingInterrupts("open \(picture)") {
        open(picture, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
      }
      defer { close(descriptor) }
      try withExtendedLifetime(jpeg) { () throws(SystemError) in try Files.write(Array(jpeg.bytes), to: descriptor) }
      Terminal.writeError(message: "picture saved in \(picture)")
      return true
    } catch {
      Terminal.writeError(message: "camgate: \(error)")
      return false
    }
  }
}
