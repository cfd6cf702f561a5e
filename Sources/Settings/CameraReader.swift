import Frames
import Posix

// One camera of the settings file.

enum CameraReader {
  static let schemes = ["rtsp", "rtsps", "file", "test"]

  /// Reads one item of `cameras`; `lines` remembers where each name was first given.
  static func read(
    _ node: YAMLNode, path: String, lines: inout [CameraName: Int], _ context: inout ReadingContext
  ) -> Configuration.Camera? {
    let section = Section(node, path: path, schemaPath: "cameras[]", context: &context)
    guard section.isBlock else { return nil }
    let name = readName(section, lines: &lines, &context)
    let source = readSource(section, &context)
    var timeouts = CameraDescription.Timeouts()
    if let node = section.value("timeouts") { timeouts = readTimeouts(node, path: path + ".timeouts", &context) }
    var limits = CameraDescription.Limits()
    if let node = section.value("limits") { limits = readLimits(node, path: path + ".limits", &context) }
    let topic = topic("topic", in: section, &context)
    guard let name, let source else { return nil }
    return Configuration.Camera(
      description: CameraDescription(name: name, source: source, timeouts: timeouts, limits: limits),
      topic: topic)
  }

  private static func readName(
    _ section: Section, lines: inout [CameraName: Int], _ context: inout ReadingContext
  ) -> CameraName? {
    guard let node = section.required("name", &context) else { return nil }
    let expected = "a camera's name (1 to 63 of a-z, 0-9 and '-')"
    guard let name = section.read("name", expected, &context, { CameraName($0) }) else { return nil }
    if let line = lines[name] {
      context.report(section.path(of: "name"), "'\(name)' is already the camera in line \(line)", at: node)
    } else {
      lines[name] = node.start.line + 1
    }
    return name
  }

  private static func readSource(
    _ section: Section, _ context: inout ReadingContext
  ) -> CameraDescription.Source? {
    if section.value("device") != nil {
      refuseForeignKeys(section, scheme: "device", &context)
      return DeviceReader.read(section, &context)
    }
    guard let node = section.required("url", or: "device", &context) else { return nil }
    let path = section.path(of: "url")
    guard let url = section.text("url", &context) else { return nil }
    guard let colon = url.firstIndex(of: ":") else {
      let help = url.hasPrefix("/dev/") ? "; a device is named by the key 'device'" : ""
      context.report(path, "expected rtsp://…, file:PATH or test:WIDTHxHEIGHT@FPS\(help)", at: node)
      return nil
    }
    let scheme = String(url[..<colon])
    refuseForeignKeys(section, scheme: scheme, &context)
    switch scheme {
    case "rtsp", "rtsps": return RTSPReader.read(url, section, at: node, &context)
    case "file": return readFile(url[url.index(after: colon)...], section, at: node, &context)
    case "test": return readTest(url[url.index(after: colon)...], path: path, at: node, &context)
    default:
      let suggestion = Suggestion.text(for: scheme, among: schemes)
      let help = suggestion.isEmpty ? " (known: \(schemes.joined(separator: ", ")))" : suggestion
      context.report(
        path, "'\(scheme)' is not a scheme Camgate knows\(help)", at: node, offset: node.quoteWidth,
        length: scheme.count)
      return nil
    }
  }

  /// Keys that mean nothing for this kind of camera are mistakes.
  private static func refuseForeignKeys(_ section: Section, scheme: String, _ context: inout ReadingContext) {
    let kinds = [
      "username": ["rtsp", "rtsps"], "password": ["rtsp", "rtsps"], "password_file": ["rtsp", "rtsps"],
      "auth": ["rtsp", "rtsps"],
      "transport": ["rtsp"], "tls": ["rtsps"], "loop": ["file"],
      "format": ["device"], "controls": ["device"], "url": schemes,
    ]
    let known = schemes + ["device"]
    for (name, kinds) in kinds.sorted(by: { $0.key < $1.key }) where !kinds.contains(scheme) && known.contains(scheme) {
      guard let key = section.key(name) else { continue }
      let owner = kinds[0] == "device" ? "devices" : "\(kinds[0]): cameras"
      let this = scheme == "device" ? "a device" : "\(scheme):"
      let text =
        name == "url"
        ? "device is given too; a camera is one or the other" : "is for \(owner) only, this one is \(this)"
      context.report(section.path(of: name), text, at: key)
    }
  }

  private static func readFile(
    _ text: Substring, _ section: Section, at node: YAMLNode, _ context: inout ReadingContext
  ) -> CameraDescription.Source? {
    let file = text.hasPrefix("//") ? text.dropFirst(2) : text
    guard !file.isEmpty else {
      context.report(section.path(of: "url"), "expected file:PATH", at: node)
      return nil
    }
    let loops = section.truth("loop", &context) ?? false
    return .file(path: file.hasPrefix("/") ? String(file) : context.directory + file, loops: loops)
  }

  /// `test:` or `test:WIDTHxHEIGHT@FPS`.
  private static func readTest(
    _ text: Substring, path: String, at node: YAMLNode, _ context: inout ReadingContext
  ) -> CameraDescription.Source? {
    if text.isEmpty { return .test(width: 640, height: 480, fps: 15) }
    let numbers = text.split(whereSeparator: { $0 == "x" || $0 == "@" }).map { Int($0) }
    if numbers.count == 3, let width = numbers[0], let height = numbers[1], let fps = numbers[2],
      text == "\(width)x\(height)@\(fps)", (32...4096).contains(width), (32...4096).contains(height),
      (1...120).contains(fps)
    {
      return .test(width: width, height: height, fps: fps)
    }
    context.report(
      path, "expected test:WIDTHxHEIGHT@FPS, 32 to 4096 pixels and 1 to 120 fps, for example test:640x480@15", at: node)
    return nil
  }

  private static func readTimeouts(
    _ node: YAMLNode, path: String, _ context: inout ReadingContext
  ) -> CameraDescription.Timeouts {
    let section = Section(node, path: path, schemaPath: "cameras[].timeouts", context: &context)
    var timeouts = CameraDescription.Timeouts()
    let bounds = Duration.milliseconds(100) ... .seconds(600)
    timeouts.connect = section.duration("connect", in: bounds, &context) ?? timeouts.connect
    timeouts.firstFrame = section.duration("first_frame", in: bounds, &context) ?? timeouts.firstFrame
    timeouts.nextFrame = section.duration("next_frame", in: bounds, &context) ?? timeouts.nextFrame
    return timeouts
  }

  private static func readLimits(
    _ node: YAMLNode, path: String, _ context: inout ReadingContext
  ) -> CameraDescription.Limits {
    let section = Section(node, path: path, schemaPath: "cameras[].limits", context: &context)
    var limits = CameraDescription.Limits()
    let rates = 8_000...10_000_000_000
    limits.bitrate =
      section.read("bitrate", "a rate from 8kbit/s to 10Gbit/s", &context) { text in
        Units.rate(text).flatMap { rates.contains($0) ? $0 : nil }
      } ?? limits.bitrate
    limits.fps =
      section.read("fps", "a number of frames a second, 1 to 10000", &context) { text in
        Int(text).flatMap { (1...10_000).contains($0) ? $0 : nil }
      } ?? limits.fps
    limits.frame = section.size("frame", in: (64 << 10)...(1 << 30), &context) ?? limits.frame
    return limits
  }
}

extension YAMLNode {
  /// 1 for a value that begins with a quote.
  fileprivate var quoteWidth: Int {
    if case .scalar(_, .quoted) = content { 1 } else { 0 }
  }
}
