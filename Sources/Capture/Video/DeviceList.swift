import CV4L2
import Frames
import Posix

// What `camgate devices` shows: which cameras are plugged in, how to name them in the settings, and what they can do.

/// All video devices of this system, as they were when it was made.
package struct DeviceList: Sendable {
  struct Device: Sendable {
    var path: String
    var name: String
    var driver = ""
    /// What to write into the settings as `device`.
    var setting: String
    var usb: DeviceTree.USB?
    var links: [String]
    /// Whether it gives pictures.
    var isCamera = false
    /// Why it could not be looked at.
    var problem: String?
    var formats: [Format] = []
    var controls: [VideoControl] = []
  }

  struct Format: Sendable {
    var format: VideoFormat
    var sizes: VideoSizes?
    /// The rates of each size of a list.
    var rates: [[Double]] = []
  }

  let devices: [Device]

  /// Looks at all devices; each is opened for a moment, which disturbs nobody who uses it.
  package init() { self.init(system: VideoSystem()) }

  init(system: VideoSystem) {
    let nodes = DeviceTree(root: system.root).nodes()
    devices = nodes.map { node in
      var device = Device(
        path: node.path, name: node.name, setting: DeviceList.setting(for: node, among: nodes), usb: node.usb,
        links: node.links)
      do throws(SystemError) {
        try device.look(at: system.open(system.root + node.path))
      } catch {
        device.problem = CaptureError(video: error, while: "opening it").message
      }
      return device
    }
  }

  /// The serial number where it names one camera, else a link that stays, else the path.
  private static func setting(for node: DeviceTree.Node, among nodes: [DeviceTree.Node]) -> String {
    if let usb = node.usb, !usb.serial.isEmpty,
      !nodes.contains(where: { $0.usb?.serial == usb.serial && $0.usb?.port != usb.port })
    {
      return "usb:\(usb.serial)"
    }
    // Links by-id say nothing of cameras without a serial number that the port does not.
    return node.links.first { $0.contains("/by-path/") } ?? node.links.first ?? node.path
  }

  /// Whether there is nothing to show.
  package var isEmpty: Bool { devices.isEmpty }
}

extension DeviceList.Device {
  fileprivate mutating func look(at device: any VideoDevice) throws(SystemError) {
    defer { device.close() }
    let capability = try device.capability()
    (driver, isCamera) = (capability.driver, capability.canCapture)
    guard isCamera, let bufferType = capability.bufferType else { return }
    for format in device.formats(bufferType) {
      var entry = DeviceList.Format(format: format, sizes: device.sizes(of: format))
      if case .list(let sizes) = entry.sizes { entry.rates = sizes.map { device.rates(of: format, $0) } }
      formats.append(entry)
    }
    controls = device.controls()
  }
}

extension DeviceList {
  /// For people.
  package var text: String { devices.map(\.text).joined(separator: "\n\n") }

  /// For machines.
  package var json: JSONObject {
    var object = JSONObject()
    object.add("devices", devices.map(\.json))
    return object
  }
}

extension DeviceList.Device {
  fileprivate var text: String {
    var identity = [driver]
    if let usb {
      identity += ["USB \(usb.vendor):\(usb.product) at \(usb.port)"]
      identity.append(usb.serial.isEmpty ? "no serial number" : "serial number \(usb.serial)")
    }
    var lines = ["\(path)  \(name) (\(identity.filter { !$0.isEmpty }.joined(separator: ", ")))"]
    if let problem { return (lines + ["  \(problem)"]).joined(separator: "\n") }
    if !isCamera { return (lines + ["  gives no pictures"]).joined(separator: "\n") }
    lines.append("  device: \(setting)")
    for link in links where link != setting { lines.append("          \(link)") }
    lines += ["  formats:"] + formats.map { "    " + $0.text }
    if !controls.isEmpty { lines.append("  controls:") }
    for control in controls {
      let value = control.value.map {
        ", now \(control.kind == .truth ? "\($0 != 0)" : control.entries[$0] ?? "\($0)")"
      }
      lines.append("    \(control.name): \(control.choices)\(value ?? "")\(control.isInactive ? " (inactive)" : "")")
    }
    return lines.joined(separator: "\n")
  }

  fileprivate var json: JSONObject {
    var object = JSONObject()
    object.add("path", path)
    object.add("name", name)
    object.add("driver", driver)
    object.add("setting", setting)
    object.add("camera", isCamera)
    if let problem { object.add("problem", problem) }
    if let usb {
      var identity = JSONObject()
      identity.add("vendor", usb.vendor)
      identity.add("product", usb.product)
      identity.add("manufacturerName", usb.manufacturerName)
      identity.add("productName", usb.productName)
      identity.add("serial", usb.serial)
      identity.add("port", usb.port)
      object.add("usb", identity)
    }
    object.add("links", links)
    object.add("formats", formats.map(\.json))
    object.add("controls", controls.map(\.json))
    return object
  }
}

extension DeviceList.Format {
  fileprivate var text: String {
    let name =
      format.conversionRank == nil
      ? format.encoding?.rawValue ?? "\(format.code) (Camgate cannot use it)"
      : "converted (from \(format.code), by libv4l)"
    switch sizes {
    case .list(let list):
      let sizes = zip(list, rates).map { size, rates in
        "\(size.width)x\(size.height)" + rates.map { "@\(trimmed($0))" }.joined(separator: ", ")
      }
      return ([name] + sizes).joined(separator: "  ")
    case .range(let width, let height):
      return "\(name)  \(width.lowerBound)x\(height.lowerBound) to \(width.upperBound)x\(height.upperBound)"
    case nil: return name
    }
  }

  fileprivate var json: JSONObject {
    var object = JSONObject()
    object.add("code", format.code)
    object.add("name", format.name)
    if let encoding = format.encoding { object.add("encoding", encoding.rawValue) }
    switch sizes {
    case .list(let list):
      object.add(
        "sizes",
        zip(list, rates).map { size, rates in
          var object = JSONObject()
          object.add("width", size.width)
          object.add("height", size.height)
          object.add("rates", rates)
          return object
        })
    case .range(let width, let height):
      var range = JSONObject()
      for (name, value) in [
        ("minimumWidth", width.lowerBound), ("maximumWidth", width.upperBound), ("minimumHeight", height.lowerBound),
        ("maximumHeight", height.upperBound),
      ] { range.add(name, value) }
      object.add("sizeRange", range)
    case nil: break
    }
    return object
  }
}

extension VideoControl {
  fileprivate var json: JSONObject {
    var object = JSONObject()
    object.add("name", name)
    object.add("kind", "\(kind)")
    object.add("minimum", range.lowerBound)
    object.add("maximum", range.upperBound)
    object.add("default", defaultValue)
    if let value { object.add("value", value) }
    object.add("inactive", isInactive)
    if !entries.isEmpty {
      object.add(
        "entries",
        entries.sorted { $0.key < $1.key }.map { number, name in
          var object = JSONObject()
          object.add("number", number)
          object.add("name", name)
          return object
        })
    }
    return object
  }
}
