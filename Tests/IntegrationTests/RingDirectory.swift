import Foundation
import Testing

/// A directory for a gateway's ring, and settings that use it.
final class RingDirectory {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "camgate-ring-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// Starts a gateway with this ring. `preparation` is a shell command that is run before, with the directory as `$1`;
  /// what it mounts goes with the gateway.
  func gateway(
    brokers: String, _ cameras: [Gateway.Camera], _ keys: String..., stopTimeout: String = "500ms",
    reportsSecured: Bool = false, user: Int? = nil, preparation: String? = nil
  ) throws -> Gateway {
    let section =
      "buffer: {"
      + (["directory: \(url.path)", "size: 65MiB", "segment: 8MiB"] + keys)
      .joined(separator: ", ") + "}"
    let settings = try Gateway.settings(
      brokers: brokers, cameras, kafka: "properties: {reconnect.backoff.max.ms: 500}",
      more: section + "\nstop_timeout: \(stopTimeout)")
    let shell = preparation.map { command in
      ["unshare", "--mount", "sh", "-c", "\(command) && shift && exec \"$@\"", "sh", url.path]
    }
    return try Gateway(
      in: settings, environment: reportsSecured ? ["CAMGATE_REPORT_SECURED": "1"] : [:], user: user,
      wrapper: shell ?? [])
  }
}

extension Gateway {
  /// The number in front of a text in the last line that has it: `123 frames captured`.
  func count(_ text: String) throws -> Int {
    let line = try #require(child.errors.last { $0.contains(text) }, "\(child.transcript)")
    let words = line.components(separatedBy: text)[0].split { $0 == " " || $0 == "," || $0 == ";" }
    return try #require(words.last.flatMap { Int($0) }, "\(line)")
  }

  /// Waits until it has said that frames up to this number of a camera's run are safe; returns the run.
  @discardableResult
  func waitForSecured(_ camera: String, _ sequence: Int, timeout: Double = 60) throws -> String {
    let (line, _) = try child.waitForOutput(timeout: timeout) { line in
      let words = line.split(separator: " ")
      return words.count == 3 && words[0] == camera && Int(words[2]) ?? 0 >= sequence
    }
    return String(line.split(separator: " ")[1])
  }
}

/// What the judge of killed gateways found (ledger.py).
struct Verdict: Decodable {
  let ok: Bool
  let promised: Int
  let lost: Int
  let frames: Int
  let repeated: Int
  let announced: Int
  let restarts: Int
}

extension Testbed {
  /// Whether all that was said to be safe is in the topic; waits for it a while.
  static func judge(
    _ broker: some Bootstrap, secured lines: [String], sourceLocation: SourceLocation = #_sourceLocation
  )
    throws -> Verdict
  {
    let file = FileManager.default.temporaryDirectory.appending(path: "camgate-secured-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
    let ledger = try program(
      "ledger", ["--brokers", broker.address, "--gateway", Gateway.name, "--secured", file.path, "--follow", "60"])
    _ = try ledger.waitForExit(timeout: 300)
    let line = try #require(ledger.output.last, "\(ledger.transcript)", sourceLocation: sourceLocation)
    let verdict = try JSONDecoder().decode(Verdict.self, from: Data(line.utf8))
    #expect(verdict.ok, "\(ledger.transcript)", sourceLocation: sourceLocation)
    return verdict
  }
}
