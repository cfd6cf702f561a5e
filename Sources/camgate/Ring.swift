import ArgumentParser
import DiskRing
import Glibc
import Posix

/// `camgate ring inspect|verify|export DIR`
struct RingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ring",
    abstract: "Look into a disk ring: what is in it, whether it is sound, and its pictures as files.",
    discussion: "Nothing in the directory is changed; it may be a copy from a board that is no more.",
    subcommands: [Inspect.self, Verify.self, Export.self])

  /// Opens the ring for reading; ends with exit code 1 and the reason when it cannot.
  fileprivate static func open(_ directory: String) throws -> RingInspector {
    do throws(RingError) { return try RingInspector(path: directory) } catch {
      Terminal.writeError("\(directory): \(error)\n")
      throw ExitCode.failure
    }
  }

  /// What `inspect` and `verify` take.
  struct RingArguments: ParsableArguments {
    @Argument(help: "The ring's directory.")
    var directory: String

    @Flag(help: "Print one JSON object.")
    var json = false
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Per camera: frames, time span, bytes.")

    @OptionGroup var ring: RingArguments

    func run() throws {
      let inspector = try RingCommand.open(ring.directory)
      try Terminal.writeResult(ring.json ? inspector.json : inspector.table)
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Read every record against its checksum; exit code 1 when one is damaged.")

    @OptionGroup var ring: RingArguments

    func run() throws {
      let inspector = try RingCommand.open(ring.directory)
      let found = inspector.verify()
      let recovery = inspector.ring.recovery
      if ring.json {
        var object = JSONObject()
        object.add("sound", found.soundCount)
        object.add("damaged", found.damaged.count)
        object.add("findings", recovery.findings.map(\.json))
        try Terminal.writeResult(object.text)
      } else {
        let findings = recovery.findings.map { finding in
          "\(finding.file) at \(finding.offset): \(finding.recoveryCase.rawValue), \(finding.byteCount) bytes lost"
        }
        let damages = found.damaged.map { stream, key in
          "stream \(stream.number): frame \(key.epoch)-\(key.sequence) is damaged"
        }
        let total = "\(found.soundCount) frames are sound, \(found.damaged.count) are damaged"
        try Terminal.writeResult((findings + damages + [total]).joined(separator: "\n"))
      }
      if !found.isSound || recovery.hasDamage { throw ExitCode.failure }
    }
  }

  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write each camera's pictures to a file that players understand (.h264, .h265, .mjpeg).")

    @Argument(help: "The ring's directory.")
    var directory: String

    @Option(help: "Where the files go.")
    var to: String = "."

    @Option(help: "Only this camera.")
    var camera: String?

    func run() throws {
      let inspector = try RingCommand.open(directory)
      for stream in inspector.ring.inventory where camera == nil || camera == stream.description.name {
        try export(stream, inspector)
      }
    }

    private func export(_ stream: StreamInventory, _ inspector: RingInspector) throws {
      // A name from a disk is no path.
      let name = String(stream.description.name.map { $0.isLetter || $0.isNumber || $0 == "-" ? $0 : "_" })
      var (descriptor, path): (Int32, String) = (-1, "")
      defer { if descriptor >= 0 { close(descriptor) } }
      let count = try inspector.export(stream.stream) { bytes in
        if descriptor < 0 {
          path = "\(to)/\(name)-\(stream.stream.number).\(fileExtension(of: bytes.payload))"
          descriptor = try retryingInterrupts("create \(path)") {
            Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
          }
        }
        try Files.write(Array(bytes.payload), to: descriptor)
      }
      try Terminal.writeResult(
        count == 0 ? "\(stream.description.name): nothing that can be played" : "\(path): \(count) frames")
    }

    /// JPEGs begin with FF D8; in Annex B the first unit of an H.265 keyframe is a parameter set of type 32 to 34
    /// (ITU-T H.265, table 7-1), which no H.264 stream begins with.
    private func fileExtension(of payload: UnsafeRawBufferPointer) -> String {
      if payload.starts(with: [0xff, 0xd8]) { return "mjpeg" }
      guard let start = payload.firstIndex(of: 1), start + 1 < payload.count else { return "h264" }
      return (32...34).contains(payload[start + 1] >> 1 & 0x3f) ? "h265" : "h264"
    }
  }
}

extension RecoveryFinding {
  fileprivate var json: JSONObject {
    var object = JSONObject()
    object.add("file", file)
    object.add("offset", offset)
    object.add("case", recoveryCase.rawValue)
    object.add("lost_bytes", byteCount)
    return object
  }
}

extension RingInspector {
  fileprivate var table: String {
    var lines = ["ring \(String(ring.id, radix: 16)), epoch \(ring.epoch), \(ring.byteCount >> 20) MiB"]
    if ring.recovery.isInUse { lines.append("another process has it open: what is written meanwhile may look damaged") }
    for content in contents {
      let span = content.firstTime.flatMap { first in content.lastTime.map { Double($0 - first) / 1e9 } } ?? 0
      let description = content.inventory.description
      lines.append(
        "\(description.name) to \(description.topic): \(content.recordCount) frames (\(content.keyframeCount) keyframes), "
          + "\(content.payloadByteCount >> 10) KiB, \(Int(span)) s; \(content.inventory.recordCount) not delivered")
    }
    return lines.joined(separator: "\n")
  }

  fileprivate var json: String {
    var object = JSONObject()
    object.add("ring", String(ring.id, radix: 16))
    object.add("epoch", ring.epoch)
    object.add("bytes", ring.byteCount)
    object.add(
      "streams",
      contents.map { content in
        var stream = JSONObject()
        stream.add("camera", content.inventory.description.name)
        stream.add("topic", content.inventory.description.topic)
        stream.add("frames", content.recordCount)
        stream.add("keyframes", content.keyframeCount)
        stream.add("payload_bytes", content.payloadByteCount)
        stream.add("undelivered_frames", content.inventory.recordCount)
        if let first = content.firstTime { stream.add("first_time_ns", first) }
        if let last = content.lastTime { stream.add("last_time_ns", last) }
        return stream
      })
    return object.text
  }
}
