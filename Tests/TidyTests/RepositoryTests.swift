import Foundation
import Testing

/// The rules, applied to this repository: all files that git has or would take.
@Suite struct RepositoryTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  let paths: [String]

  init() throws {
    let git = Process()
    let output = Pipe()
    git.executableURL = URL(filePath: "/usr/bin/env")
    git.arguments = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    git.currentDirectoryURL = Self.root
    git.standardOutput = output
    try git.run()
    let listed = output.fileHandleForReading.readDataToEndOfFile()
    git.waitUntilExit()
    try #require(git.terminationStatus == 0, "these tests need a git checkout and git")
    paths = listed.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      .filter { FileManager.default.fileExists(atPath: Self.root.appending(path: $0).path) }
  }

  func file(_ path: String) throws -> File {
    File(path, String(decoding: try Data(contentsOf: Self.root.appending(path: path)), as: UTF8.self))
  }

  /// A document; empty when there is none, so that all of it is missed.
  func document(_ path: String) -> File { (try? file(path)) ?? File(path, "") }

  /// All text files but those of this test, which names what it forbids, and the licence.
  func files(_ isWanted: (String) -> Bool = { _ in true }) throws -> [File] {
    try paths.filter { !$0.hasPrefix("Tests/TidyTests/") && $0 != "LICENSE" && isWanted($0) }.map(file)
  }

  func expectNone(_ complaints: [Complaint]) {
    #expect(complaints.isEmpty, "\n\(complaints.map(\.description).joined(separator: "\n"))")
  }

  @Test func modulesImportWhatTheyMay() throws {
    let manifest = try file("Package.swift")
    let targets = targets(inManifest: manifest)
    #expect(targets.count > 5, "Package.swift could not be read as text")
    expectNone(manifestComplaints(manifest))
    expectNone(try files { $0.hasPrefix("Sources/") }.flatMap { importComplaints($0, targets) })
  }

  @Test func filesAreShort() throws {
    expectNone(try files().flatMap(lengthComplaints))
  }

  @Test func nothingIsUnfinished() throws {
    expectNone(try files().flatMap(unfinishedComplaints))
  }

  @Test func noTestMaySkipItself() throws {
    let tests = try files { $0.hasPrefix("Tests/") || $0.hasPrefix("Toolchain/") || $0.hasPrefix("image/") }
    // The rules say what they look for.
    expectNone(tests.filter { !$0.path.hasPrefix("Tests/TidyTests/") }.flatMap(skippingComplaints))
  }

  @Test func nothingKnowsAMachine() throws {
    expectNone(try files().flatMap(machineComplaints))
  }

  @Test func binariesDoNotKnowWhereTheyWereBuilt() throws {
    expectNone(try files { $0.hasPrefix("Sources/") }.flatMap(placeComplaints))
  }

  @Test func unsafePromisesSayWhy() throws {
    expectNone(try files().flatMap(unsafeComplaints))
  }

  @Test func onlySourcesAreTracked() {
    expectNone(trackedComplaints(paths))
  }

  @Test func documentsKeepTheirPromises() throws {
    let documents = try files { $0.hasSuffix(".md") }
    expectNone(documents.flatMap { commandComplaints($0, paths: Set(paths)) })
    expectNone(documents.flatMap { linkComplaints($0, paths: Set(paths)) })
  }

  @Test func everySettingIsInTheReadme() throws {
    let keys = settingsKeys(inTable: try file("Sources/Settings/Keys.swift"))
    #expect(keys.count > 10, "the table of settings could not be read as text")
    expectNone(unmentionedComplaints(try file("README.md"), "setting", keys))
  }

  @Test func headersAreSpeltOnceAndExplained() throws {
    let names = headerNames(inTable: try file("Sources/Records/HeaderName.swift"))
    #expect(names.count > 20, "the table of headers could not be read as text")
    expectNone(try files { $0.hasPrefix("Sources/") }.flatMap { headerComplaints($0, names: names) })
    expectNone(unmentionedComplaints(try file("README.md"), "header", names))
  }

  @Test func everyModuleAndThreadIsInTheArchitecture() throws {
    let architecture = document("Sources/README.md")
    expectNone(architectureComplaints(architecture))
    let modules = targets(inManifest: try file("Package.swift")).filter { !$0.isTest }.map(\.name)
    expectNone(unmentionedComplaints(architecture, "module", modules))
    let threads = try files { $0.hasPrefix("Sources/") && $0.hasSuffix(".swift") }.flatMap(threadNames)
    #expect(threads.count > 5, "the sources could not be read as text")
    expectNone(unmentionedComplaints(architecture, "thread", threads))
  }

  @Test func everyFolderOfTestsAndEveryVerbIsExplained() throws {
    expectNone(unmentionedComplaints(document("Tests/README.md"), "folder", folders(in: "Tests", paths)))
    let verbs = verbs(inUsage: try file("Toolchain/dev"))
    #expect(verbs.count > 5, "the verbs could not be read as text")
    let toolchain = document("Toolchain/README.md")
    expectNone(unmentionedComplaints(toolchain, "verb", verbs))
    expectNone(unmentionedComplaints(toolchain, "folder", folders(in: "Toolchain", paths)))
  }

  /// The image has no program that neither its scripts nor its tests call.
  @Test func everyAppletIsCalled() throws {
    let names = applets(inConfiguration: try file("image/busybox.config"))
    #expect(names.count > 20, "the configuration of busybox could not be read as text")
    let scripts = try files { $0.hasPrefix("image/") || $0.hasPrefix("Toolchain/image/test/") }
    #expect(uncalledApplets(names, in: scripts.filter { !$0.path.hasSuffix(".config") }) == [])
  }
}
