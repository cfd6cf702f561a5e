import Foundation
import Testing

@testable import Settings

/// image/config/camgate.yaml is the reference for users: it must parse, name every key, and show the defaults.
@Suite struct SampleFileTests {
  static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("image/config/camgate.yaml")
  let text: String

  init() throws { text = try String(contentsOf: SampleFileTests.path, encoding: .utf8) }

  private func read(_ text: String) -> SettingsFile {
    SettingsFile(name: "sample", bytes: Array(text.utf8), directory: "", environment: ["HOSTNAME": "host-1"])
  }

  @Test func parsesWithoutEvenAWarning() {
    let file = read(text)
    #expect(file.report == "")
    #expect(file.configuration?.gateway == "host-1")
  }

  /// The keys the sample shows, active or commented out (`# key: value`), by path.
  private func shownKeys() -> [String: String] {
    var shown: [String: String] = [:]
    var parents: [(indent: Int, name: String)] = []
    for line in text.split(separator: "\n") {
      var body = Substring(line)
      let indent = body.prefix { $0 == " " }.count
      body = body.drop { $0 == " " }
      if body.hasPrefix("# ") { body = body.dropFirst(2) }
      let extra = body.prefix { $0 == " " }.count
      body = body.drop { $0 == " " }
      if body.hasPrefix("# ") { continue }
      var column = indent + extra
      if body.hasPrefix("- ") {
        body = body.dropFirst(2)
        column += 2
      }
      guard let colon = body.firstIndex(of: ":"), body[..<colon].allSatisfy({ $0.isLowercase || $0 == "_" }) else {
        continue
      }
      let name = String(body[..<colon])
      parents.removeAll { $0.indent >= column }
      let prefix = parents.map(\.name).joined(separator: ".")
      let path = (prefix.isEmpty ? "" : prefix + ".") + name
      let value = body[body.index(after: colon)...].drop { $0 == " " }
      parents.append((column, name == "cameras" ? "cameras[]" : name))
      if shown[path] == nil { shown[path] = String(value) }
    }
    return shown
  }

  @Test(arguments: SettingsKey.all.map(\.path))
  func showsTheKeyWithItsDefault(_ path: String) throws {
    let key = try #require(SettingsKey.all.first { $0.path == path })
    let value = try #require(shownKeys()[path], "the sample does not show \(path)")
    if let expected = key.defaultText { #expect(value == expected, "the sample shows another default for \(path)") }
  }

  /// The table's defaults are those of the code: a file that leaves everything out has them.
  @Test func tableAndCodeAgreeOnDefaults() throws {
    let least = try #require(
      read(
        "kafka: {brokers: [k]}\ncameras: [{name: a, url: 'rtsp://h/'}, {name: s, url: 'rtsps://h/'}, {name: b, url: 'file:x'}]"
      ).configuration)
    let lines = least.rendered.split(separator: "\n").map { $0.drop { $0 == " " } }
    for key in SettingsKey.all {
      guard let expected = key.defaultText else { continue }
      #expect(lines.contains("\(key.name): \(expected)"), "\(key.path) is not \(expected) by default")
    }
  }

  /// Random damage to the sample may give errors, never a crash, and always a place inside the file.
  @Test func survivesMutations() {
    var random = SystemRandomNumberGenerator()
    let original = Array(text.utf8)
    for _ in 0..<300 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let index = Int.random(in: bytes.indices, using: &random)
        switch Int.random(in: 0...2, using: &random) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: index)
        default: bytes.insert(" \n:-[]{}&*\"'%\t#".utf8.randomElement(using: &random) ?? 32, at: index)
        }
      }
      let file = SettingsFile(name: "damaged", bytes: bytes, directory: "", environment: [:])
      #expect(file.configuration != nil || file.diagnostics.hasErrors)
      _ = file.report
    }
  }
}
