import ArgumentParser
import Backlog
import DiskRing
import Frames
import Glibc
import Posix

/// `camgate ring inspect|verify|export|quarantine DIR`
struct RingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ring",
    abstract: "Look into a disk ring: what is in it, whether it is sound, and its pictures as files.",
    discussion: "Nothing in the directory is changed; it may be a copy from a board that is no more.",
    subcommands: [Inspect.self, Verify.self, Export.self, QuarantineList.self])

  /// Opens the ring for reading; ends with exit code 1 and the reason when it cannot.
  fileprivate static func open(_ directory: String) throws -> RingInspector {
    do throws(RingError) { return try RingInspector(path: directory) } catch {
      Terminal.writeError(message: "\(directory): \(error)")
      throw ExitCode.failure
    }
  }

  /// What all of them take.
  struct RingArguments: ParsableArguments {
    @Argument(help: "The ring's directory.")
    var directory: String

    @Flag(help: "Print JSON, one object a line.")
    var json = false
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Per camera: frames, time span, bytes.")

    @OptionGroup var ring: RingArguments

    func run() throws {
      let inspector = try RingCommand.open(ring.directory)
      try ring.json ? Terminal.writeResult(inspector.json) : Terminal.writeResult(lines: inspector.table)
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
        object.add("implausible", found.implausible.count)
        object.add("contradictory_files", found.contradictory)
        object.add("findings", recovery.findings.map(\.json))
        try Terminal.writeResult(object)
      } else {
        let findings = recovery.findings.map { finding in
          "\(finding.file) at \(finding.offset): \(finding.recoveryCase.rawValue), \(finding.byteCount) bytes lost"
        }
        let damages = found.damaged.map { stream, key in
          "stream \(stream.number): frame \(key.epoch)-\(key.sequence) is damaged"
        }
        let forged =
          found.implausible.map { stream, key in
            "stream \(stream.number): frame \(key.epoch)-\(key.sequence) has a time that no clock shows"
          } + found.contradictory.map { "\($0): its index is damaged or contradicts its records" }
        let total = "\(found.soundCount) frames are sound, \(found.damaged.count) are damaged"
        try Terminal.writeResult(lines: findings + damages + forged + [total])
      }
      if !found.isSound || recovery.hasDamage { throw ExitCode.failure }
    }
  }

  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write each camera's pictures to a file that players understand (.h264, .h265, .mjpeg).")

    @OptionGroup var ring: RingArguments

    @Option(help: "Where the files go.")
    var to: String = "."

    @Option(help: "Only this camera.")
    var camera: String?

    func run() throws {
      let inspector = try RingCommand.open(ring.directory)
      let streams = inspector.ring.inventory.filter { camera == nil || camera == $0.description.name }
      if streams.isEmpty {
        Terminal.writeError(message: "\(ring.directory): nothing of \(camera.map { "camera '\($0)'" } ?? "any camera")")
        throw ExitCode.failure
      }
      for stream in streams {
        let files = try export(stream, inspector)
        for file in files {
          let line = "\(file.path): \(file.count) frames"
          try ring.json ? Terminal.writeResult(file.json(stream)) : Terminal.writeResult(lines: [line])
        }
        if files.isEmpty, !ring.json {
          try Terminal.writeResult(lines: ["\(stream.description.name): nothing that can be played"])
        }
      }
    }

    private func export(_ stream: StreamInventory, _ inspector: RingInspector) throws -> [ExportedFile] {
      var files: [ExportedFile] = []
      // A name from a disk is no path.
      let name = String(stream.description.name.map { $0.isLetter || $0.isNumber || $0 == "-" ? $0 : "_" })
      defer { for file in files { close(file.descriptor) } }
      var beginsAtLastKeyframe = true
      _ = try inspector.export(stream.stream) { bytes, isKeyframe, isBeginning in
        if isKeyframe { beginsAtLastKeyframe = isBeginning }
        if beginsAtLastKeyframe, FrameMetadata.isLeading(bytes.metadata) { return }
        guard let codec = FrameMetadata.codec(of: bytes.metadata) else { return }
        // A camera whose codec was changed has a file for each.
        if !files.contains(where: { $0.codec == codec }) {
          let path = "\(to)/\(name)-\(stream.stream.number).\(codec.rawValue)"
          files.append(ExportedFile(codec: codec, path: path, descriptor: try create(path)))
        }
        for index in files.indices where files[index].codec == codec {
          try Files.write(Array(bytes.payload), to: files[index].descriptor)
          files[index].count += 1
        }
      }
      return files
    }

    private func create(_ path: String) throws -> Int32 {
      do throws(SystemError) {
        return try retryingInterrupts("create \(path)") {
          Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        }
      } catch {
        Terminal.writeError(message: "\(error)")
        throw ExitCode.failure
      }
    }
  }
}

/// A file with pictures of one camera.
private struct ExportedFile {
  let codec: Codec
  let path: String
  let descriptor: Int32
  var count = 0

  func json(_ stream: StreamInventory) -> JSONObject {
    var object = JSONObject()
    object.add("camera", stream.description.name)
    object.add("topic", stream.description.topic)
    object.add("file", path)
    object.add("frames", count)
    return object
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
  fileprivate var table: [String] {
    var lines = ["ring \(String(ring.id, radix: 16)), epoch \(ring.epoch), \(ring.byteCount >> 20) MiB"]
    if ring.recovery.isInUse { lines.append("another process has it open: what is written meanwhile may look damaged") }
    for content in contents {
      let length = content.firstTime.flatMap { first in content.lastTime.map { $0.subtractingSaturated(first) } } ?? 0
      let description = content.inventory.description
      lines.append(
        "\(description.name) to \(description.topic): \(content.recordCount) frames (\(content.keyframeCount) keyframes), "
          + "\(content.payloadByteCount >> 10) KiB, \(length / 1_000_000_000) s; \(content.inventory.recordCount) not delivered"
      )
    }
    return lines
  }

  fileprivate var json: JSONObject {
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
    return object
  }
}
