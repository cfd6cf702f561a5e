import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// The end of the log: what became of the frames, and nothing behind it.
  @Suite struct LastLineTests {
    /// Frames that a line of the log says were dropped.
    private func droppedCount(_ line: String) -> Int {
      line.matches(of: #/(?:dropped|,) (\d+) frames \(/#).reduce(0) { $0 + (Int($1.1) ?? 0) }
    }

    /// Memory is full and stays so, and what is dropped after that was mentioned is mentioned at the end.
    @Test func saysWhatBecameOfTheFrames() throws {
      let gateway = try Gateway(
        brokers: "127.0.0.1:9", [Gateway.Camera("gate", "test:640x480@30")],
        more: "buffer: {memory: 2MiB}\nstop_timeout: 0s\nlog: {level: debug}")
      let mark = try gateway.waitForLog("camera gate: dropped")
      // It goes on dropping while the client tries to connect.
      try gateway.waitForLog(from: mark, "Connection refused")
      try gateway.stop()
      let lines = gateway.child.errors
      let last = try #require(lines.last)
      #expect(last.contains(" stopped; "), "\(gateway.child.transcript)")
      let total = try #require(last.firstMatch(of: #/ (\d+) dropped/#).flatMap { Int($0.1) })
      let mentioned = lines.filter { $0.contains("camera gate: dropped") }.map(droppedCount).reduce(0, +)
      #expect(mentioned == total && total > 0, "\(gateway.child.transcript)")
    }
  }
}
