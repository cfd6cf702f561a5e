import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// What containers, watchdogs and systemd ask and are told.
  @Suite struct HealthTests {
    private func ask(_ directory: URL) throws -> Child {
      try Child(Testbed.camgate, ["health", directory.appending(path: "camgate.yaml").path])
    }

    /// Kafka is away, which is no illness; a gateway that is stopped hangs.
    @Test func aGatewayIsAsked() throws {
      let gateway = try Gateway(
        brokers: "127.0.0.1:\(try Testbed.freePort())", [Gateway.Camera("gate", "test:320x240@15")])
      try gateway.waitForLog("camera gate", "streaming")
      let well = try ask(gateway.directory)
      #expect(try well.waitForExit() == .code(0) && well.output == ["well"], "\(well.transcript)")
      gateway.child.signal(SIGSTOP)
      let hung = try ask(gateway.directory)
      #expect(try hung.waitForExit() == .code(1), "\(hung.transcript)")
      #expect(hung.errors == ["the gateway does not answer"])
      gateway.child.signal(SIGCONT)
      try gateway.stop()
      let gone = try ask(gateway.directory)
      #expect(try gone.waitForExit() == .code(1) && gone.errors.contains { $0.hasPrefix("no gateway runs with ") })
    }

    /// Standard error is the journal when systemd says so of this very descriptor.
    @Test func theJournalIsToldHowMuchALineMatters() throws {
      let directory = try Gateway.settings(
        brokers: "127.0.0.1:\(try Testbed.freePort())", [Gateway.Camera("gate", "test:320x240@15")])
      defer { try? FileManager.default.removeItem(at: directory) }
      let script = #"JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) exec "$@""#
      let gateway = try Gateway(in: directory, wrapper: ["sh", "-c", script, "sh"])
      try gateway.waitForLog("camera gate", "streaming")
      try gateway.stop()
      let errors = gateway.child.errors
      #expect(errors.allSatisfy { $0.prefixMatch(of: #/<[3467]>/#) != nil }, "\(gateway.child.transcript)")
      #expect(errors.contains { $0.hasPrefix("<4>") && $0.contains(" warning ") })
    }

    /// 2.0 by the words of systemd itself; it counts in tenths.
    @Test func theUnitIsConfined() throws {
      let unit = Testbed.root.appending(path: "image/systemd/camgate.service").path
      let analysis = try Child("systemd-analyze", ["security", "--offline=yes", "--threshold=20", unit])
      #expect(try analysis.waitForExit() == .code(0), "\(analysis.transcript)")
      #expect(analysis.output.contains { $0.contains("Overall exposure level") }, "\(analysis.transcript)")
    }
  }
}
