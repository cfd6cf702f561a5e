import Frames
import Glibc
import Posix

// Which camera is which, from /sys: /dev/video0 is whatever was plugged in first, a USB serial number stays.

/// The video devices of a system, below `root` (tests have one of their own).
struct DeviceTree {
  /// A video node and the device it belongs to.
  struct Node: Equatable {
    /// `/dev/video0`
    var path: String
    /// Several nodes may belong to one camera: its number among them.
    var index: Int
    /// The driver's name for it.
    var name: String
    var usb: USB?
    /// Links in /dev/v4l/by-id and by-path that lead to it.
    var links: [String] = []
  }

  struct USB: Equatable {
    var vendor: String
    var product: String
    var manufacturerName: String
    var productName: String
    /// Empty when the camera has none.
    var serial: String
    /// Where it is plugged in, e.g. `1-1.4`.
    var port: String

    /// Whether links by-id would take the two for one.
    func isTwin(of other: USB) -> Bool {
      port != other.port && (vendor, product, serial) == (other.vendor, other.product, other.serial)
    }
  }

  private let root: String

  init(root: String = "") { self.root = root }

  /// All nodes, by number.
  func nodes() -> [Node] {
    let names = entries("/sys/class/video4linux").filter { $0.hasPrefix("video") }
    let links = ["/dev/v4l/by-id", "/dev/v4l/by-path"].flatMap { directory in
      entries(directory).compactMap { entry in
        real("\(directory)/\(entry)").map { (link: "\(directory)/\(entry)", target: $0) }
      }
    }
    return names.sorted { number($0) < number($1) }.map { name in
      let node = "/sys/class/video4linux/\(name)"
      let path = "/dev/\(name)"
      return Node(
        path: path, index: Int(attribute("\(node)/index")) ?? 0, name: attribute("\(node)/name"), usb: usb(of: node),
        links: links.filter { $0.target == root + path || $0.target == real(path) }.map(\.link).sorted())
    }
  }

  /// The path of the node that a setting names: itself, or the one of a USB camera that gives pictures.
  func path(
    of setting: String, _ open: (String) throws(SystemError) -> any VideoDevice
  ) throws(CaptureError) -> String {
    if setting.hasPrefix("/dev/v4l/by-id/") { try refuseTwins(of: setting) }
    guard setting.hasPrefix("usb:") else { return root + setting }
    let serial = setting.dropFirst(4)
    let nodes = nodes().filter { $0.usb.map { $0.serial == serial } ?? false }
    if nodes.isEmpty {
      let known = Set(self.nodes().compactMap { $0.usb?.serial }.filter { !$0.isEmpty }).sorted()
      let help =
        known.isEmpty
        ? "no USB camera with a serial number is plugged in" : "there is: \(known.joined(separator: ", "))"
      throw CaptureError(.unreachable, "no camera with the serial number \(serial) (\(help))")
    }
    if Set(nodes.compactMap { $0.usb?.port }).count > 1 {
      throw CaptureError(
        .unusable, "several cameras have the serial number \(serial): name them by /dev/v4l/by-path/…")
    }
    for node in nodes.sorted(by: { $0.index < $1.index }) {
      guard let device = try? open(root + node.path) else { continue }
      defer { device.close() }
      if (try? device.capability())?.canCapture == true { return root + node.path }
    }
    // None could be looked at: opening the first one says why.
    return root + nodes[0].path
  }

  /// Refuses a link by-id that several cameras would have: it leads to whichever was plugged in last.
  private func refuseTwins(of link: String) throws(CaptureError) {
    let nodes = nodes()
    guard let usb = nodes.first(where: { $0.links.contains(link) })?.usb else { return }
    guard nodes.contains(where: { $0.usb.map { $0.isTwin(of: usb) } ?? false }) else { return }
    let which =
      usb.serial.isEmpty ? "are of this model, without serial numbers" : "have the serial number \(usb.serial)"
    throw CaptureError(
      .unusable,
      "several cameras \(which): \(link) leads to whichever was plugged in last; name them by /dev/v4l/by-path/…")
  }

  /// Where the camera of a node is plugged in; nil when it is on no USB.
  func port(ofNode path: String) -> String? {
    let target = realpath(path, nil)
    defer { free(target) }
    let names = [path] + (target.map { [String(cString: $0)] } ?? [])
    return nodes().first { node in names.contains { $0 == root + node.path || $0 == real(node.path) } }?.usb?.port
  }

  /// The USB device above a node: its interface is `device`, the device itself the directory above that.
  private func usb(of node: String) -> USB? {
    guard let interface = real("\(node)/device"), let slash = interface.lastIndex(of: "/") else { return nil }
    let device = String(interface[..<slash].dropFirst(root.count))
    let vendor = attribute("\(device)/idVendor")
    if vendor.isEmpty { return nil }
    return USB(
      vendor: vendor, product: attribute("\(device)/idProduct"),
      manufacturerName: attribute("\(device)/manufacturer"), productName: attribute("\(device)/product"),
      serial: attribute("\(device)/serial"),
      port: String(device[device.index(after: device.lastIndex(of: "/") ?? device.startIndex)...]))
  }

  /// A one-line file of /sys; empty when it is not there. Devices choose some of these words.
  private func attribute(_ path: String) -> String {
    guard let bytes = try? Files.read(root + path, limit: 4_096) else { return "" }
    let line = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    return String(String.UnicodeScalarView(line.unicodeScalars.filter { $0.properties.generalCategory != .control }))
  }

  private func entries(_ path: String) -> [String] {
    guard let directory = opendir(root + path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// The path with all links resolved (realpath(3)).
  private func real(_ path: String) -> String? {
    guard let resolved = realpath(root + path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private func number(_ name: String) -> Int { Int(name.dropFirst("video".count)) ?? .max }
}
