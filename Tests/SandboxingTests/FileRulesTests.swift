import Foundation
import Testing

@testable import Sandboxing

/// Which files are left, as far as that can be told without being bound.
@Suite struct FileRulesTests {
  private let directory: URL

  init() throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "camgate-rules-\(UUID().uuidString)")
    for name in ["settings", "secrets", "other"] {
      let folder = directory.appending(path: name)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data().write(to: folder.appending(path: "file"))
    }
    try FileManager.default.createSymbolicLink(
      at: directory.appending(path: "settings/link"), withDestinationURL: directory.appending(path: "secrets/file"))
  }

  private func path(_ name: String) -> String { directory.appending(path: name).path }

  @Test func theDirectoryOfANamedFile() {
    defer { try? FileManager.default.removeItem(at: directory) }
    var rules = FileRules()
    rules.allowDirectory(of: path("settings/file"))
    #expect(rules.allowsReading(path("settings/file")) && rules.allowsReading(path("settings/one that comes later")))
    #expect(!rules.allowsReading(path("other/file")) && !rules.allowsReading("/etc/hosts"))
    // Where a link leads counts, not where it is.
    #expect(!rules.allowsReading(path("settings/link")))
    rules.allowDirectory(of: path("settings/link"))
    #expect(rules.allowsReading(path("settings/link")) && rules.allowsReading(path("secrets/file")))
  }

  @Test func aFileInTheRootDoesNotOpenAll() {
    defer { try? FileManager.default.removeItem(at: directory) }
    var rules = FileRules()
    rules.allowDirectory(of: "/camgate.yaml")
    #expect(rules.rules.map(\.path) == ["/camgate.yaml"] && !rules.allowsReading("/etc/hosts"))
  }

  /// Each version of Landlock knows more; the kernel refuses a right that it does not know.
  @Test func rightsByVersion() {
    #expect(Landlock.Rights.all(1).rawValue == 0x1fff)
    #expect(Landlock.Rights.all(2).rawValue == 0x3fff)
    #expect(Landlock.Rights.all(4).rawValue == 0x7fff)
    #expect(Landlock.Rights.all(7).rawValue == 0xffff)
    for version in 1...7 {
      for access in [FileRules.Access.read, .change, .devices] {
        let rights = Landlock.Rights(access).intersection(.all(version))
        #expect(rights.isSubset(of: .all(version)))
      }
    }
  }
}
