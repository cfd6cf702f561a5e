import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// The gateway's memory holds every secret.
  @Suite struct MemorySecrecyTests {
    private static let nobody = 65_534

    /// A crash leaves no core file, and another process of the same user cannot read the gateway's memory or environment.
    @Test func memoryStaysPrivate() throws {
      let directory = try Gateway.settings(brokers: "127.0.0.1:9", [Gateway.Camera("gate", "test:320x180@2")])
      let gateway = try Gateway(in: directory, user: Self.nobody)
      try gateway.waitForLog("camera gate: streaming")
      let process = "/proc/\(gateway.child.processID)"
      let limits = try String(contentsOfFile: "\(process)/limits", encoding: .utf8)
      let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
      let words = core?.split(separator: " ").suffix(3)
      #expect(words == ["0", "0", "bytes"])
      let drop = ["--reuid", "\(Self.nobody)", "--regid", "\(Self.nobody)", "--clear-groups", "--"]
      for file in ["environ", "maps"] {
        let reader = try Child("setpriv", drop + ["cat", "\(process)/\(file)"])
        #expect(try reader.waitForExit() == .code(1), "\(reader.transcript)")
        #expect(reader.output.isEmpty && reader.errors.contains { $0.contains("Permission denied") })
      }
      try gateway.stop()
    }
  }
}
