import Testing

/// Every rule refuses a bad example: a rule that cannot fail is none.
@Suite struct RulesTests {
  static let manifest = File(
    "Package.swift",
    """
    let package = Package(
      targets: [
        .systemLibrary(name: "CRdKafka"),
        .target(name: "Frames"),
        .target(
          name: "Broker",
          dependencies: ["CRdKafka", "Frames"]),
        .target(name: "Helpers", dependencies: ["Frames"]),
        .executableTarget(
          name: "camgate",
          dependencies: ["Broker", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
        .testTarget(name: "BrokerTests", dependencies: ["Broker", "Gateway"]),
      ])
    """)

  @Test func manifestIsRead() {
    let found = targets(inManifest: Self.manifest)
    #expect(found.map(\.name) == ["CRdKafka", "Frames", "Broker", "Helpers", "camgate", "BrokerTests"])
    #expect(found[2] == Target(name: "Broker", line: 5, isTest: false, dependencies: ["CRdKafka", "Frames"]))
    #expect(found[4].dependencies.isSuperset(of: ["Broker", "ArgumentParser"]))
  }

  @Test func forbiddenArrowsInTheManifest() {
    let texts = manifestComplaints(Self.manifest).map(\.description)
    #expect(texts.contains("Package.swift:5: Broker may not know Frames"))
    #expect(texts.contains { $0.hasPrefix("Package.swift:8: Helpers is not in the table") })
    #expect(!texts.contains { $0.contains("BrokerTests") || $0.contains("ArgumentParser") })
  }

  @Test(arguments: [
    ("import Foundation", "no Foundation here"),
    ("@preconcurrency import Foundation", "no Foundation here"),
    ("import struct Frames.Frame", "Broker may not import Frames"),
    ("package import Capture", "Broker may not import Capture"),
    ("import Posix", "Broker imports Posix, which Package.swift does not say"),
  ])
  func forbiddenImports(line: String, complaint: String) {
    let found = importComplaints(
      File("Sources/Broker/Producer.swift", "// x\n" + line), targets(inManifest: Self.manifest))
    #expect(found.count == 1 && found[0].line == 2 && found[0].text.hasPrefix(complaint), "\(found)")
  }

  @Test(arguments: [
    "import CRdKafka", "import Glibc", "import FoundationEssentials", "// import Foundation", "let important = 1",
  ])
  func allowedImports(line: String) {
    #expect(importComplaints(File("Sources/Broker/Producer.swift", line), targets(inManifest: Self.manifest)).isEmpty)
  }

  @Test func longFiles() {
    let lines = { String(repeating: "x\n", count: $0) }
    #expect(lengthComplaints(File("Sources/A/A.swift", lines(400))).isEmpty)
    #expect(lengthComplaints(File("Sources/A/A.swift", lines(401))).count == 1)
    #expect(lengthComplaints(File("LICENSE", lines(401))).isEmpty)
  }

  @Test func unfinishedWork() {
    #expect(unfinishedComplaints(File("a.py", "# TODO: later\n# todo\n# FIXME")).map(\.line) == [1, 3])
    #expect(unfinishedComplaints(File("a.patch", " /* XXX */\n-// XXX\n+// XXX")).map(\.line) == [3])
  }

  @Test func skippingTests() {
    let lines = "@Test(.enabled(if: x)) func a()\n@Test(.disabled(\"b\"))\nself.skipTest('c')\nisEnabled(d)"
    #expect(skippingComplaints(File("a.swift", lines)).map(\.line) == [1, 2, 3])
  }

  /// Examples are put together, so that this file passes the rule itself.
  private static let (slash, dot) = ("/", ".")
  private static let ofOneMachine = [
    "see \(slash)work/x", "cd ..\(slash)shared/x", "HOME=\(slash)root/x", "open('\(slash)home/x')",
    "https://pypi\(dot)org/simple", "deb http://deb\(dot)debian\(dot)org/debian bookworm main",
  ]
  private static let ofEveryMachine = [
    "a network/work/flow", "/data/ring", "${HOME}\(slash)work/x", "https://github.com/apple/swift", "root/home",
  ]

  // Swift 6.0 crashes at an interpolation among a macro's arguments.
  @Test(arguments: ofOneMachine)
  func machinesAndRegistries(line: String) {
    #expect(machineComplaints(File("a.md", line)).count == 1)
  }

  @Test(arguments: ofEveryMachine)
  func placesEverywhere(line: String) {
    #expect(machineComplaints(File("a.md", line)).isEmpty)
  }

  @Test func placesInTheBinary() {
    let file = File("Sources/A/A.swift", "print(#fileID)\nwithoutActuallyEscaping(f) { g($0) }\nprint(#filePath)")
    #expect(placeComplaints(file).map(\.line) == [2, 3])
  }

  @Test func unsafePromises() {
    let file = File(
      "Sources/A/A.swift",
      """
      // Unchecked because the mutex guards it.
      @frozen
      final class A: @unchecked Sendable {}

      /// Says what it is, not why.
      final class B: @unchecked Sendable {}
      nonisolated(unsafe) var count = 0
      """)
    #expect(unsafeComplaints(file).map(\.line) == [6, 7])
  }

  @Test func trackedFiles() {
    let bad = ["Package.resolved", ".build-lint/x.o", "Toolchain/__pycache__/a.pyc"]
    #expect(trackedComplaints(bad + ["Package.swift", ".ci/run"]).map(\.path) == bad)
  }

  @Test func commandsOfDocuments() {
    let file = File("README.md", "Run `Toolchain/dev demo --json`, then\n    Toolchain/dev frobnicate")
    #expect(commandComplaints(file, paths: ["Toolchain/demo.sh"]).map(\.line) == [2])
  }

  @Test func linksOfDocuments() {
    let text = """
      # A fine start
      [a](image/config) [b](../README.md) [c](#a-fine-start) [d](https://example.org/x)
      [e](missing.md)
      [f](#nowhere)
      """
    #expect(linkComplaints(File("doc/A.md", text), paths: ["doc/image/config/x", "README.md"]).map(\.line) == [3, 4])
  }

  @Test func settingsInDocuments() {
    let table = File(
      "Keys.swift", #"  key("log", nil, "x"),\#n  key("log.level", "info", "x"),\#n  key("gateway", nil, "x"),"#)
    #expect(settingsKeys(inTable: table) == ["log.level", "gateway"])
    let complaints = unmentionedComplaints(
      File("README.md", "`log.level` of a gateway"), "setting", ["log.level", "gateway"])
    #expect(complaints.map(\.text) == ["the setting `gateway` is not mentioned"])
  }

  @Test func headersSpeltTwice() {
    let table = #"  package static let id = "ce_id"\#n  static let type = "content-type""#
    let names = headerNames(inTable: File("a", table))
    #expect(names == ["ce_id", "content-type"])
    let file = File("Sources/A/A.swift", #"let a = "ce_identity"\#n print("ce_id")"#)
    #expect(headerComplaints(file, names: names).map(\.line) == [2])
  }

  @Test func longArchitectures() {
    let lines = { String(repeating: "x\n", count: $0) }
    #expect(architectureComplaints(File("Sources/README.md", lines(250))).isEmpty)
    #expect(architectureComplaints(File("Sources/README.md", lines(251))).map(\.line) == [251])
  }

  @Test func threadsOfSources() {
    let file = File(
      "Sources/A/A.swift", #"Thread.start(name: "a") {}\#n x = Thread.start(name: "cam-\(b.name)-\(c)", body)"#)
    #expect(threadNames(in: file) == ["a", "cam-…-…"])
  }

  @Test func verbsAndFolders() {
    let usage = File("dev", "usage: dev VERB\n\n  setup       install\n  image-test  boot it\n    exit 0\n  *)  no")
    #expect(verbs(inUsage: usage) == ["setup", "image-test"])
    #expect(folders(in: "Tests", ["Tests/B/x", "Tests/A/y/z", "Tests/README.md", "Sources/C/x"]) == ["A", "B"])
  }

  @Test func appletsOfBusybox() {
    let configuration = File("busybox.config", "# what it is\nCONFIG_STATIC=y\nCONFIG_LS=y\nCONFIG_TR=y\nCONFIG_ASH=y")
    #expect(applets(inConfiguration: configuration) == ["ls", "tr", "ash"])
    let script = File("startup", "#!/bin/sh\n# tr is not called\nfiles=$(ls /)\ntrue tr.x")
    #expect(uncalledApplets(["ls", "tr", "ash"], in: [script]) == ["tr"])
  }
}
