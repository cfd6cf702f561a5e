import Foundation
import Posix
import Testing

@testable import Settings

/// README.md says of the settings what the code does.
@Suite struct ReadmeTests {
  let lines: [Substring]

  init() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// The table has a row for each key that takes a value, in order, with its default and its meaning; and no other.
  @Test func theTableOfSettingsIsThatOfTheCode() throws {
    let header = try #require(lines.firstIndex(of: "| key | default | meaning |"), "README.md has no table of settings")
    let rows = lines[(header + 2)...].prefix { $0.hasPrefix("|") }
    let leaves = SettingsKey.all.filter { key in
      !SettingsKey.all.contains { $0.path.hasPrefix(key.path + ".") || $0.path.hasPrefix(key.path + "[]") }
    }
    #expect(
      rows.map(String.init)
        == leaves.map { key in
          "| `\(key.path)` | \(key.defaultText.map { "`\($0)`" } ?? "–") | \(key.summary) |"
        })
  }

  /// The settings file to begin with is one.
  @Test func theFirstSettingsFileIsGood() throws {
    let start = try #require(lines.firstIndex(of: "```yaml"), "README.md has no settings file")
    let text = lines[(start + 1)...].prefix { $0 != "```" }.joined(separator: "\n")
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("camgate-\(UUID().uuidString)/").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try Data("secret\n".utf8).write(to: URL(fileURLWithPath: directory + "/gate.password"))
    let file = SettingsFile(name: "README.md", bytes: Array(text.utf8), directory: directory + "/", environment: [:])
    #expect(file.report == "")
    #expect(file.configuration?.cameras.count == 1)
    let secrets = Secrets()
    file.registerSecrets(in: secrets)
    #expect(secrets.masked("a secret") == "a ***")
  }
}
