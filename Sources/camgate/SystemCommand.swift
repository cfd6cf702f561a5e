import Appliance
import ArgumentParser
import Posix
import Settings

/// `camgate system settings|grow-partition|grow-filesystem`
struct SystemCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "system",
    abstract: "What the board's image calls while it starts; of no use elsewhere.",
    subcommands: [SystemSettings.self, GrowPartition.self, GrowFileSystem.self])

  /// Runs `work`; an error is said on standard error and ends with exit code 1.
  fileprivate static func attempt(_ work: () throws -> String) throws {
    do { try Terminal.writeResult(try work()) } catch {
      let text = (error as? PartitionTable.Damage)?.message ?? "\(error)"
      Terminal.writeError("camgate system: \(text)\n")
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
      // Every value is of letters, digits and ".-/": the reader lets nothing else pass.
      let words = [
        ("SYSTEM_HOSTNAME", system.hostname ?? ""), ("SYSTEM_INTERFACE", system.network.interface ?? ""),
        ("SYSTEM_ADDRESS", system.network.address ?? "dhcp"), ("SYSTEM_ROUTER", system.network.router ?? ""),
        ("SYSTEM_DNS", system.network.nameServers.joined(separator: " ")),
        ("SYSTEM_VLAN", system.network.vlan.map { "\($0)" } ?? ""),
        ("SYSTEM_NTP", system.ntp.joined(separator: " ")),
      ]
      try Terminal.writeResult(words.map { "\($0)='\($1)'" }.joined(separator: "\n"))
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
