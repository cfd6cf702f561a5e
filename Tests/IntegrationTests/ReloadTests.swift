import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// The settings file changes while the gateway runs, again and again.
  @Suite struct ReloadTests {
    /// Rounds of changes, of which the first ones only warm up: 3, or as many as CAMGATE_RELOADS says.
    static let roundCount = ProcessInfo.processInfo.environment["CAMGATE_RELOADS"].flatMap { Int($0) } ?? 3
    /// How long between two changes; nothing is judged by it.
    static let pause = ProcessInfo.processInfo.environment["CAMGATE_RELOADS"] == nil ? 0 : 2.0
    static let brokenFileCount = 20

    let broker: Server
    let cameras: Server
    let ring: RingDirectory

    init() throws {
      broker = try Testbed.broker()
      cameras = try Testbed.cameras("gate=h264", "yard=h264")
      ring = try RingDirectory()
    }

    private var gate: String { get throws { "  - {name: gate, url: '\(try cameras.url("gate"))'}\n" } }

    private func yard(_ more: String = "") throws -> String {
      "  - {name: yard, url: '\(try cameras.url("yard"))'\(more)}\n"
    }

    /// The settings with these cameras.
    private func settings(_ cameras: String, gateway: String = Gateway.name, log: String = "info") -> String {
      """
      gateway: \(gateway)
      kafka: {brokers: ['\(broker.address)']}
      buffer: {directory: '\(ring.url.path)', size: 65MiB, segment: 8MiB, write: always}
      log: {level: \(log)}
      cameras:
      \(cameras)
      """
    }

    private func start(_ text: String) throws -> Gateway {
      let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-test-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: directory.appending(path: "camgate.yaml"))
      return try Gateway(in: directory)
    }

    /// Replaces the file and has it read; waits for a line of the log with `answer`.
    private func reload(_ gateway: Gateway, _ text: String, _ answer: String) throws {
      let start = gateway.child.errors.count
      try Data(text.utf8).write(to: gateway.directory.appending(path: "camgate.yaml"), options: .atomic)
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog(from: start, answer)
    }

    private func figures(of gateway: Gateway) throws -> (descriptors: Int, threads: [String], bytes: Int) {
      let process = URL(filePath: "/proc/\(gateway.child.processID)")
      let list = { (name: String) in
        try FileManager.default.contentsOfDirectory(atPath: process.appending(path: name).path)
      }
      let threads = try list("task").map { task in
        try String(contentsOf: process.appending(path: "task/\(task)/comm"), encoding: .utf8)
          .trimmingCharacters(in: .whitespacesAndNewlines)
      }
      let status = try String(contentsOf: process.appending(path: "status"), encoding: .utf8)
      let anonymous = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
      let kibibytes = try #require(
        anonymous.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) })
      // The ring keeps its segments open: the more frames went through it, the more, up to its size.
      let descriptors = try list("fd").filter { name in
        let link = process.appending(path: "fd/\(name)").path
        let path = try? FileManager.default.destinationOfSymbolicLink(atPath: link)
        return path?.hasPrefix(ring.url.path) != true
      }
      return (descriptors.count, threads.filter { $0 != "resolve" }.sorted(), kibibytes << 10)
    }

    /// A camera is added, changed, moved to another topic and removed while another is left alone; in between come files
    /// with an error, each in another line.
    @Test func underLoad() throws {
      let gateway = try start(settings(try gate))
      try gateway.waitForLog("camera gate", "streaming")
      try Testbed.read(broker, ["gate"], frames: 10, follow: true, skip: ["decode"])
      let untouched = gateway.child.errors.filter { $0.contains("camera gate") }
      var before: (descriptors: Int, threads: [String], bytes: Int)?
      let perRound = (Self.brokenFileCount + Self.roundCount - 1) / Self.roundCount
      var refusedCount = 0
      for round in 0..<Self.roundCount {
        let steps = [
          (try yard(), "added yard; 1 not touched"), (try yard(", timeouts: {connect: 9s}"), "changed yard"),
          (try yard(", topic: elsewhere"), "changed yard"), (try yard(), "changed yard"), ("", "removed yard"),
        ]
        for (text, answer) in steps {
          let start = gateway.child.errors.count
          try reload(gateway, settings(try gate + text), "settings read again: \(answer)")
          if !text.isEmpty { try gateway.waitForLog(from: start, "camera yard: streaming") }
          if Self.pause > 0 { Foundation.Thread.sleep(forTimeInterval: Self.pause) }
        }
        for _ in 0..<perRound where refusedCount < Self.brokenFileCount {
          let comments = String(repeating: "# more\n", count: refusedCount)
          let broken = settings(try gate + comments + "  - {name: yard, url: nowhere}\n")
          try reload(gateway, broken, "camgate.yaml:\(7 + refusedCount):")
          try gateway.waitForLog("the settings have errors; the old ones stay")
          refusedCount += 1
        }
        // What the first rounds leave is what the allocator keeps.
        if round == Self.roundCount / 2 { before = try figures(of: gateway) }
      }
      let after = try figures(of: gateway)
      try gateway.stop()
      let was = try #require(before)
      print("\(Self.roundCount * 5) changes, \(refusedCount) broken files: \(was) before, \(after) after")
      #expect(refusedCount == Self.brokenFileCount)
      #expect(gateway.child.errors.filter { $0.contains("the old ones stay") }.count == Self.brokenFileCount)
      #expect(after.threads == was.threads)
      // A connection of librdkafka may come or go.
      #expect(abs(after.descriptors - was.descriptors) <= 2, "\(was) \(after)")
      #expect(after.bytes - was.bytes < 4 << 20, "\(was) \(after)")
      let running = gateway.child.errors.prefix { !$0.contains("stopping: cameras first") }
      #expect(running.filter { $0.contains("camera gate") } == untouched)
      let findings = try Testbed.read(broker, ["gate", "yard"], gaps: ["camera"])
      #expect(findings.lost == 0 && findings.repeated == 0 && findings.twice == 0)
      #expect(findings.cameras["gate"]?.gaps == 0)
      #expect(findings.cameras["yard"].map { $0.gaps > 0 } == true)
    }

    /// What cannot change is said, with its line, and the rest of the file is used.
    @Test func whatNeedsARestart() throws {
      let gateway = try start(settings(try gate))
      try gateway.waitForLog("camera gate", "streaming")
      let other = settings(try gate + yard(), gateway: "dock-8").replacing("65MiB", with: "73MiB")
      let start = gateway.child.errors.count
      try reload(gateway, other, "added yard")
      try gateway.waitForLog(from: start, "camgate.yaml:1:1: warning: gateway: restart needed")
      try gateway.waitForLog(from: start, "camgate.yaml:3:", "warning: buffer.size: restart needed")
      // The old name is still the one in use.
      try Testbed.read(broker, ["gate", "yard"], frames: 5, follow: true, skip: ["decode"])
      let quiet = gateway.child.errors.count
      try reload(gateway, settings(try gate, log: "info, format: json"), "removed yard")
      try gateway.stop()
      #expect(!gateway.child.errors[quiet...].contains { $0.contains("restart needed") })
      #expect(gateway.child.errors.last?.hasPrefix("{") == true, "\(gateway.child.transcript)")
    }
  }
}
