import ArgumentParser
import Posix

// The executable: one file a subcommand. Exit codes follow sysexits.h: 0 good, 64 bad usage, 78 bad settings, 1 failed
// while running.

@main
struct Camgate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "camgate",
    abstract: "A camera gateway: pulls cameras, keeps what cannot be sent yet, and sends it to Kafka.",
    discussion: """
      Start with `camgate demo`: two generated cameras, an in-process Kafka and two readers, with an outage in the \
      middle. `camgate discover` and `camgate devices` find cameras, `camgate probe` tells whether one works and what to \
      write into the settings. Then write a settings file (image/config/camgate.yaml is the commented sample), look at \
      it with `camgate check FILE`, and run it with `camgate run FILE`.
      """,
    version: "camgate \(Version.number)",
    subcommands: [
      Run.self, Check.self, Health.self, Consume.self, RingCommand.self, Demo.self, Devices.self, Discover.self,
      Probe.self,
      SystemCommand.self, Version.self,
    ])

  static func main() {
    CrashReport.install()
    // Before any secret is read: none may end in a core file, or be read by another process of this user.
    CrashReport.forbidDumps()
    main(nil)
  }
}
