import Frames
import Posix

// A camera given on a command line: read by the code that reads the settings file, so that what works there works here.

/// One camera from the words of a command line.
package struct CameraArgument: Sendable {
  /// nil when there are errors.
  package let description: CameraDescription?
  /// What is wrong and what is better done otherwise, one line each; no secrets.
  package let errors: [String]
  package let warnings: [String]
  private let secrets: [ReadSecret]

  /// `place` is an url, or a device (`usb:SERIAL` or a path below /dev). The others are keys of the settings file with
  /// their values (`tls.ca` is one of a block); files are relative to the working directory.
  package init(place: String, keys: [(name: String, value: String)]) {
    let isDevice = place.hasPrefix("/dev/") || place.hasPrefix("usb:")
    let inner = keys.filter { $0.name.hasPrefix("tls.") }.map { (String($0.name.dropFirst(4)), $0.value) }
    let outer = [("name", "probe"), (isDevice ? "device" : "url", place)] + keys.filter { !$0.name.contains(".") }
    var pairs = outer.map(CameraArgument.pair)
    if !inner.isEmpty {
      let key = CameraArgument.node(.scalar("tls", .plain))
      pairs.append((key, CameraArgument.node(.mapping(inner.map(CameraArgument.pair)))))
    }
    let node = CameraArgument.node(.mapping(pairs))
    var context = ReadingContext(environment: [:], directory: "", source: SourceText(name: "", bytes: []))
    var lines: [CameraName: Int] = [:]
    let camera = CameraReader.read(node, path: "", lines: &lines, &context)
    description = context.diagnostics.hasErrors ? nil : camera?.description
    func texts(_ severity: Diagnostic.Severity) -> [String] {
      context.diagnostics.filter { $0.severity == severity }.map { diagnostic in
        let option = diagnostic.path.split(separator: "_").joined(separator: "-")
        return ["", "url", "device"].contains(option) ? diagnostic.message : "--\(option): \(diagnostic.message)"
      }
    }
    (errors, warnings) = (texts(.error), texts(.warning))
    secrets = context.secrets
  }

  /// Registers every secret that was read.
  package func registerSecrets(in registry: Secrets) { secrets.register(in: registry) }

  private static func pair(_ name: String, _ value: String) -> (key: YAMLNode, value: YAMLNode) {
    // What looks like a variable of the environment is none here: the shell has had its turn.
    let text = value.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$")
    return (node(.scalar(name, .plain)), node(.scalar(text, .quoted)))
  }

  private static func node(_ content: YAMLNode.Content) -> YAMLNode {
    let mark = Mark(line: 0, column: 0)
    return YAMLNode(content: content, start: mark, end: mark)
  }
}

extension CameraDescription {
  /// The beginning of an entry in the settings file for this camera, `***` for secrets.
  package var settingsExample: [String] {
    var lines = ["cameras:", "  - name: gate"]
    switch source {
    case .rtsp(let url, let login, let transport, let tls):
      lines.append("    url: \(quoted(url))")
      if let login {
        lines.append("    username: \(quoted(login.username))")
        lines.append("    password_file: gate.password")
        if login.allowsBasic { lines.append("    auth: basic") }
      }
      if transport != .tcp { lines.append("    transport: \(transport.rawValue)") }
      if let file = tls.authorityFile { lines.append("    tls: {ca: \(quoted(file))}") }
      if !tls.verifies { lines.append("    tls: {verify: false}") }
    case .device(let device):
      lines.append("    device: \(quoted(device.path))")
      if device.format != DeviceFormat() { lines.append("    format: \(device.format)") }
    case .file(let path, let loops):
      lines.append("    url: \(quoted("file:" + path))")
      if loops { lines.append("    loop: true") }
    case .test(let width, let height, let fps): lines.append("    url: test:\(width)x\(height)@\(fps)")
    }
    return lines
  }
}
