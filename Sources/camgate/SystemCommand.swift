import Appliance
import ArgumentParser
import Posix
import Settings

/// `camgate system settings|files|confine|find-partition|grow-partition|grow-filesystem`
struct SystemCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "system",
    abstract: "What the board's image calls while it starts; of no use elsewhere.",
    subcommands: [
      SystemSettings.self, SystemFiles.self, Confine.self, FindPartition.self, GrowPartition.self, GrowFileSystem.self,
    ])

  /// Runs `work`; an error is said on standard error and ends with exit code 1.
  fileprivate static func attempt(_ work: () throws -> String) throws {
    do { try Terminal.writeResult(try work()) } catch {
      let text = (error as? PartitionTable.Damage)?.message ?? (error as? ImageDisk.Failure)?.message ?? "\(error)"
      Terminal.writeError(message: "camgate system: \(text)")
      throw ExitCode.failure
    }
  }

  struct SystemSettings: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "settings", abstract: "Print the section 'system' of a settings file as variables of a shell.")

    @Argument(help: "The settings file (YAML).")
    var file: String

    func run() throws {
      let system = try loadSettings(file).system
      let network = system.network
      let vlan = network.vlan.map { String($0) } ?? ""
      // Every value is of letters, digits and ".-/": the reader lets nothing else pass.
      var lines: [String] = []
      func set(_ name: String, _ value: String) { lines.append("SYSTEM_\(name)='\(value)'") }
      set("HOSTNAME", system.hostname ?? "")
      set("INTERFACE", network.interface ?? "")
      set("ADDRESS", network.address ?? "dhcp")
      set("ROUTER", network.router ?? "")
      set("DNS", network.nameServers.joined(separator: " "))
      set("VLAN", vlan)
      set("NTP", system.ntp.joined(separator: " "))
      try Terminal.writeResult(lines.joined(separator: "\n"))
    }
  }

  struct SystemFiles: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "files", abstract: "Print the paths of the other files that a settings file names, one a line.")

    @Argument(help: "The settings file (YAML).")
    var file: String

    func run() throws { try Terminal.writeResult(loadSettings(file).files.joined(separator: "\n")) }
  }

  struct Confine: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "confine", abstract: "Start a program as another user, with some of root's rights and no others.")

    @Argument(help: "The user's and the group's number.")
    var user: UInt32

    @Argument(help: "Names of capabilities, with commas between them.")
    var capabilities: String

    @Argument(parsing: .captureForPassthrough, help: "The program and its arguments.")
    var command: [String]

    func run() throws {
      try SystemCommand.attempt {
        let kept = try capabilities.split(separator: ",").map { name in
          guard let found = Capability(rawValue: String(name)) else {
            throw ValidationError("'\(name)' is none of \(Capability.allCases.map(\.rawValue).joined(separator: ", "))")
          }
          return found
        }
        try Confinement.become(command, user: user, capabilities: kept)
      }
    }
  }

  struct FindPartition: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "find-partition",
      abstract: "Wait for a partition of the image's own disk; print the disk and the partition's number.")

    @Argument(help: "A file with the identifiers of the image's disk and partitions.")
    var identifiers: String

    @Argument(help: "The partition's name.")
    var name: String

    func run() throws {
      try SystemCommand.attempt {
        let text = String(decoding: try Files.read(identifiers, limit: 4_096), as: UTF8.self)
        let match = try ImageDisk(text).find(name, patience: .seconds(30))
        return "\(match.disk) \(match.number)"
      }
    }
  }

  struct GrowPartition: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "grow-partition", abstract: "Make the last partition of a disk reach to its end.")

    @Argument(help: "The disk.")
    var disk: String

    @Argument(help: "The partition's number.")
    var number: Int

    func run() throws {
      try SystemCommand.attempt { "\(try Growth.growPartition(number, ofDisk: disk) >> 20) MiB" }
    }
  }

  struct GrowFileSystem: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "grow-filesystem", abstract: "Make a mounted ext4 file system as large as its partition.")

    @Argument(help: "The partition.")
    var device: String

    @Argument(help: "Where it is mounted.")
    var directory: String

    func run() throws {
      try SystemCommand.attempt { "\(try Growth.growFileSystem(at: directory, on: device) >> 20) MiB" }
    }
  }
}
