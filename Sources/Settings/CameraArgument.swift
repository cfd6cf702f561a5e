import Frames

// A camera given on a command line: read by the code that reads the settings file, so that what works there works here.

/// One camera from the words of a command line.
package struct CameraArgument: Sendable {
  /// nil when there are errors.
  package let description: CameraDescription?
  /// What is wrong and what is better done otherwise, one line each; no secrets.
  package let errors: [String]
  package let warnings: [String]

  /// `place` is an url, or a device (`usb:SERIAL` or a path below /dev). The others are keys of the settings file with
  /// their values; files are relative to the working directory.
  package init(place: String, keys: [(name: String, value: String)]) {
    let isDevice = place.hasPrefix("/dev/") || place.hasPrefix("usb:")
    let pairs = [("name", "probe"), (isDevice ? "device" : "url", place)] + keys.map { ($0.name, $0.value) }
    let node = CameraArgument.node(
      .mapping(
        pairs.map { name, value in
          // What looks like a variable of the environment is none here: the shell has had its turn.
          let text = value.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$")
          return (CameraArgument.node(.scalar(name, isPlain: true)), CameraArgument.node(.scalar(text, isPlain: false)))
        }))
    var context = ReadingContext(environment: [:], directory: "")
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
  }

  private static func node(_ content: YAMLNode.Content) -> YAMLNode {
    let mark = Mark(line: 0, column: 0)
    return YAMLNode(content: content, start: mark, end: mark)
  }
}

extension CameraDescription {
  /// The beginning of an entry in the settings file for this camera, `***` for secrets.
  package var settingsExample: String {
    var lines = ["cameras:", "  - name: gate"]
    switch source {
    case .rtsp(let url, let login, let transport):
      lines.append("    url: \(Configuration.quoted(url))")
      if let login {
        lines.append("    username: \(Configuration.quoted(login.username))")
        lines.append("    password_file: gate.password")
      }
      if transport != .tcp { lines.append("    transport: \(transport.rawValue)") }
    case .device(let device):
      lines.append("    device: \(Configuration.quoted(device.path))")
      if device.format != DeviceFormat() { lines.append("    format: \(device.format)") }
    case .file(let path, let loops):
      lines.append("    url: \(Configuration.quoted("file:" + path))")
      if loops { lines.append("    loop: true") }
    case .test(let width, let height, let fps): lines.append("    url: test:\(width)x\(height)@\(fps)")
    }
    return lines.joined(separator: "\n")
  }

  /// Every secret in it, for the log to mask.
  package var secrets: [String] {
    if case .rtsp(_, let login?, _) = source { [login.password] } else { [] }
  }
}
