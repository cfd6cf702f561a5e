import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// `camgate probe --record FILE`: a report of a fault that can be played again and says nothing of who lives where.
  @Suite struct ProbeRecordTests {
    private struct Report: Decodable {
      let works: Bool
      let error: String?
      let frames: Int
    }

    private let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-test-\(UUID().uuidString)")
    private static let password = "hunter2-wr@ng"

    init() throws { try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true) }

    private func probe(_ url: String, _ arguments: [String]) throws -> (Report, Child) {
      let child = try Child(Testbed.camgate, ["probe", "--json", "--seconds", "20", url] + arguments)
      _ = try child.waitForExit(timeout: 120)
      let line = try #require(child.output.last, "\(child.transcript)")
      return (try JSONDecoder().decode(Report.self, from: Data(line.utf8)), child)
    }

    private func login() throws -> [String] {
      let file = directory.appending(path: "password")
      try Data((Self.password + "\n").utf8).write(to: file)
      return ["--username", "keeper", "--password-file", file.path]
    }

    /// Rows of the fault table, and what both probes say. Faults that every connection has: a probe may miss a pause that
    /// is shorter than its own step, and connect again, so how many pictures it gets is not always the same.
    @Test(arguments: [
      ("udp-only", "does not offer RTP over TCP"), ("udp-only-400", "try transport: udp"),
      ("login", "401 Unauthorized"),
      ("closes-soon", "end"),
    ])
    func whatIsPlayedBackFailsAlike(_ name: String, _ words: String) throws {
      let cameras = try Testbed.responder()
      let file = directory.appending(path: "replayed.toml").path
      let url = try cameras.url(name)
      // A login in the path, as some cameras have it.
      let (report, child) = try probe(url + "?user=keeper&key=hunter2-wr%40ng", ["--record", file] + login())
      #expect(!report.works && report.error?.contains(words) == true, "\(child.transcript)")
      let text = try String(contentsOfFile: file, encoding: .utf8)
      for secret in [
        Self.password, "hunter2", "keeper", "127.0.0.1", ":\(cameras.port)", "Authorization: Basic", "/\(name)",
      ] { #expect(!text.contains(secret), "\(secret) in \(text.prefix(3_000))") }
      let rights = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
      #expect(rights == 0o600)
      let player = try Server("responder", [file])
      let (again, second) = try probe(try player.url("replayed"), login())
      #expect(again.error == report.error, "\(child.transcript)\n\(second.transcript)")
      #expect(
        (again.frames > 0) == (report.frames > 0), "\(again.frames) frames, and \(report.frames) when it was recorded")
    }

    /// Nothing is put in the place of another file, nor made of a connection that did not come about.
    @Test func noFileIsReplaced() throws {
      let file = directory.appending(path: "report.toml").path
      let closed = try Testbed.freePort()
      let (report, child) = try probe("rtsp://127.0.0.1:\(closed)/x", ["--record", file])
      #expect(!report.works && report.error?.contains("nothing listens") == true, "\(child.transcript)")
      #expect(!FileManager.default.fileExists(atPath: file))
      try Data("mine".utf8).write(to: URL(filePath: file))
      for arguments in [
        ["rtsp://127.0.0.1:\(closed)/x"], ["rtsps://127.0.0.1/x"], ["test:64x64@5"],
        ["rtsp://127.0.0.1:\(closed)/x", "--transport", "udp"],
      ] {
        let other = arguments.count > 1 || !arguments[0].hasPrefix("rtsp:") ? file + ".other" : file
        let child = try Child(Testbed.camgate, ["probe", "--record", other] + arguments)
        #expect(try child.waitForExit() == .code(64), "\(child.transcript)")
        #expect(!FileManager.default.fileExists(atPath: file + ".other"))
      }
      #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
    }
  }
}
