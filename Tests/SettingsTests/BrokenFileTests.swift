import Foundation
import Testing

@testable import Settings

/// Every file in Tests/Fixtures/settings is broken in its own way; beside each stands, byte for byte, what is printed.
/// `UPDATE_FIXTURES=1 swift test --filter BrokenFileTests` writes the texts anew; then read the difference.
@Suite struct BrokenFileTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/settings")
  static let names: [String] =
    (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?.filter { $0.hasSuffix(".yaml") }.sorted() ?? []

  @Test func thereAreEnough() { #expect(BrokenFileTests.names.count >= 40) }

  @Test(arguments: names)
  func printsExactly(_ name: String) throws {
    let path = BrokenFileTests.folder.appendingPathComponent(name)
    let file = SettingsFile(
      name: name, bytes: [UInt8](try Data(contentsOf: path)), directory: "", environment: ["HOSTNAME": "host-1"])
    let expectedPath = path.deletingPathExtension().appendingPathExtension("txt")
    if ProcessInfo.processInfo.environment["UPDATE_FIXTURES"] != nil {
      try Data((file.report + "\n").utf8).write(to: expectedPath)
    }
    let expected = String(decoding: try Data(contentsOf: expectedPath), as: UTF8.self)
    #expect(file.report + "\n" == expected)
    #expect(file.configuration == nil)
    #expect(file.diagnostics.hasErrors)
    for secret in ["hunter2", "p@ss", "p%40ss", "geheim", "w0rd"] { #expect(!file.report.contains(secret)) }
  }
}
