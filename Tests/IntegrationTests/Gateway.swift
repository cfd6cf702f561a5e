import Foundation
import Testing

/// `camgate run` with a settings file of its own.
final class Gateway {
  static let name = "dock-7"

  /// A camera of the settings file.
  struct Camera {
    var name: String
    /// Further keys, as they stand in the file.
    var keys: [String: String]

    init(_ name: String, _ url: String, _ keys: [String: String] = [:]) {
      self.name = name
      self.keys = keys.merging(["url": "'\(url)'"]) { $1 }
    }
  }

  let child: Child
  let directory: URL

  /// Starts it. `kafka` stands behind the brokers, `more` at the end of the settings file.
  init(brokers: String, _ cameras: [Camera], kafka: String = "", more: String = "") throws {
    directory = try Gateway.settings(brokers: brokers, cameras, kafka: kafka, more: more)
    child = try Child(Testbed.camgate, ["run", directory.appending(path: "camgate.yaml").path])
  }

  /// Starts it with settings that are there, in a directory that goes with this object. `user` is whom it runs as,
  /// `wrapper` a command that starts it.
  init(
    in directory: URL, environment: [String: String] = [:], user: Int? = nil, wrapper: [String] = []
  ) throws {
    self.directory = directory
    let command = [Testbed.camgate, "run", directory.appending(path: "camgate.yaml").path]
    let drop = user.map { ["setpriv", "--reuid", "\($0)", "--regid", "\($0)", "--clear-groups", "--"] } ?? []
    let whole = wrapper + drop + command
    child = try Child(whole[0], Array(whole.dropFirst()), environment: environment)
  }

  deinit {
    child.signal(SIGKILL)
    try? FileManager.default.removeItem(at: directory)
  }

  /// A directory of its own with the settings in `camgate.yaml`.
  static func settings(brokers: String, _ cameras: [Camera], kafka: String = "", more: String = "") throws -> URL {
    let entries = cameras.map { camera in
      "  - name: \(camera.name)\n" + camera.keys.sorted { $0.key < $1.key }.map { "    \($0): \($1)\n" }.joined()
    }
    let connection = "{brokers: ['\(brokers)']\(kafka.isEmpty ? "" : ", ")\(kafka)}"
    let text = "gateway: \(name)\nkafka: \(connection)\ncameras:\n\(entries.joined())\(more)\n"
    let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: directory.appending(path: "camgate.yaml"))
    return directory
  }

  /// Waits until the log has a line with all of these texts.
  @discardableResult
  func waitForLog(from start: Int = 0, _ texts: String...) throws -> Int {
    try child.waitForErrors(from: start) { line in texts.allSatisfy(line.contains) }.1
  }

  /// SIGTERM; waits for the end, which must be a good one.
  func stop(sourceLocation: SourceLocation = #_sourceLocation) throws {
    child.signal(SIGTERM)
    let exit = try child.waitForExit()
    #expect(exit == .code(0), "\(child.transcript)", sourceLocation: sourceLocation)
  }
}
