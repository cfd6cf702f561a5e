import Frames

// A camera that is a V4L2 device.

enum DeviceReader {
  /// Reads `device`, `format` and `controls`.
  static func read(_ section: Section, _ context: inout ReadingContext) -> CameraDescription.Source? {
    let expected = "a device (usb:SERIAL, /dev/v4l/by-id/… or /dev/video0)"
    let path = section.read("device", expected, &context) { text in
      let isSerial = text.hasPrefix("usb:") && text.utf8.count > 4
      return isSerial || text.hasPrefix("/") ? text : nil
    }
    let format = section.read("format", "a format such as mjpeg 1280x720@15 (\(encodings))", &context) {
      DeviceFormat($0)
    }
    var controls: [CameraDescription.Control] = []
    if let node = section.value("controls") { controls = readControls(node, section.path(of: "controls"), &context) }
    return path.map {
      .device(CameraDescription.Device(path: $0, format: format ?? DeviceFormat(), controls: controls))
    }
  }

  private static var encodings: String { DeviceEncoding.allCases.map(\.rawValue).joined(separator: ", ") }

  /// Which controls there are only the driver knows.
  private static func readControls(
    _ node: YAMLNode, _ path: String, _ context: inout ReadingContext
  ) -> [CameraDescription.Control] {
    guard case .mapping(let pairs) = node.content else {
      context.report(path, "expected a block of keys, found \(node.kindName)", at: node)
      return []
    }
    var controls: [CameraDescription.Control] = []
    for (key, value) in pairs {
      guard case .scalar(let name, _) = key.content else {
        context.report(path, "a key must be a single word", at: key)
        continue
      }
      if controls.contains(where: { $0.name == name }) {
        context.report("\(path).\(name)", "given twice", at: key)
      } else if let text = Section.text(of: value, path: "\(path).\(name)", &context) {
        if text.isEmpty { context.report("\(path).\(name)", "expected a value", at: key) }
        controls.append(CameraDescription.Control(name: name, value: text))
      }
    }
    return controls
  }
}
