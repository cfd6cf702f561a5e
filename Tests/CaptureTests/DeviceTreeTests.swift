import CV4L2
import Frames
import Glibc
import Posix
import Testing

@testable import Capture

/// A /sys and a /dev of a test's own.
final class ScriptedTree {
  let root: String

  init() throws {
    var template = Array("/tmp/camgate-tree-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    root = text(of: template)
  }

  deinit { _ = system("rm -r '\(root)'") }

  /// A node of a USB camera at `port`, as uvcvideo makes them.
  /// `link` is its name in by-id.
  func add(
    _ number: Int, port: String, index: Int = 0, serial: String?, product: String = "HD Webcam",
    link name: String? = nil
  ) throws {
    let device = "/sys/devices/usb1/\(port)"
    let interface = "\(device)/\(port):1.0"
    try directory("\(interface)/video4linux/video\(number)")
    try file("\(interface)/video4linux/video\(number)/name", "\(product): \(product)\n")
    try file("\(interface)/video4linux/video\(number)/index", "\(index)\n")
    try link("\(interface)/video4linux/video\(number)/device", to: "../../../\(port):1.0")
    for (attribute, value) in [
      ("idVendor", "046d"), ("idProduct", "0825"), ("manufacturer", "Acme"), ("product", product),
    ] { try file("\(device)/\(attribute)", value + "\n") }
    if let serial { try file("\(device)/serial", serial + "\n") }
    try register(number, "\(interface)/video4linux/video\(number)", link: name)
  }

  /// A node that is on no USB.
  func addPlatform(_ number: Int) throws {
    let node = "/sys/devices/platform/vivid.0/video4linux/video\(number)"
    try directory(node)
    try file("\(node)/name", "vivid-000-vid-cap\n")
    try link("\(node)/device", to: "../../../vivid.0")
    try register(number, node)
  }

  private func register(_ number: Int, _ node: String, link name: String? = nil) throws {
    try directory("/sys/class/video4linux")
    try link("/sys/class/video4linux/video\(number)", to: "../../.." + node)
    try directory("/dev/v4l/by-id")
    try file("/dev/video\(number)", "")
    // As udev does: the last one has it.
    let path = "/dev/v4l/by-id/\(name ?? "usb-Acme-\(number)-video-index0")"
    unlink(root + path)
    try link(path, to: "../../video\(number)")
  }

  private func directory(_ path: String) throws { try #require(system("mkdir -p '\(root + path)'") == 0) }

  private func link(_ path: String, to target: String) throws { try #require(symlink(target, root + path) == 0) }

  private func file(_ path: String, _ content: String) throws {
    let descriptor = open(root + path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try Files.write(Array(content.utf8), to: descriptor)
  }
}

@Suite struct DeviceTreeTests {
  let tree: ScriptedTree

  init() throws { tree = try ScriptedTree() }

  /// Opens nodes of the tree; those whose numbers are given are no cameras.
  private func system(metadata: Set<Int> = []) -> VideoSystem {
    VideoSystem(root: tree.root) { (path) throws(SystemError) in
      guard access(path, F_OK) == 0 else { throw SystemError(code: ENOENT, operation: "open") }
      let device = ScriptedDevice()
      if metadata.contains(where: { path.hasSuffix("video\($0)") }) { device.flags = V4L2_CAP_META_CAPTURE }
      return device
    }
  }

  private func path(of setting: String, metadata: Set<Int> = []) throws -> String {
    let system = system(metadata: metadata)
    return try String(DeviceTree(root: tree.root).path(of: setting, system.open).dropFirst(tree.root.count))
  }

  @Test func aSerialNumberIsTheCamerasAndNotItsMetadatas() throws {
    try tree.addPlatform(0)
    try tree.add(4, port: "1-1.4", serial: "SN4")
    try tree.add(2, port: "1-1.2", index: 1, serial: "SN2")
    try tree.add(10, port: "1-1.2", index: 0, serial: "SN2")
    #expect(try path(of: "usb:SN4") == "/dev/video4")
    #expect(try path(of: "usb:SN2") == "/dev/video10", "the first of its nodes, whatever its number")
    #expect(try path(of: "usb:SN2", metadata: [10]) == "/dev/video2")
    #expect(try path(of: "/dev/video7") == "/dev/video7")
    let error = captureError { _ = try path(of: "usb:SN") }
    #expect(error?.code == .unreachable)
    #expect(error?.message.contains("SN2, SN4") == true)
  }

  @Test func aSerialNumberOfTwoCamerasIsNone() throws {
    try tree.add(0, port: "1-1", serial: "0001")
    try tree.add(1, port: "1-2", serial: "0001")
    let error = captureError { _ = try path(of: "usb:0001") }
    #expect(error?.code == .unusable)
    #expect(error?.message.contains("by-path") == true)
  }

  /// udev makes one link of two cameras' same serial number, and it moves to the one that came last.
  @Test(arguments: ["0001", nil]) func aLinkOfTwoCamerasIsNone(_ serial: String?) throws {
    let link = "/dev/v4l/by-id/usb-Acme_HD_Webcam-video-index0"
    try tree.add(0, port: "1-1", serial: serial, link: "usb-Acme_HD_Webcam-video-index0")
    #expect(try path(of: link) == link)
    try tree.add(1, port: "1-1", index: 1, serial: serial)
    #expect(try path(of: link) == link, "its own second node is no other camera")
    try tree.add(2, port: "1-2", serial: serial, link: "usb-Acme_HD_Webcam-video-index0")
    let error = captureError { _ = try path(of: link) }
    #expect(error?.code == .unusable)
    #expect(error?.message.contains("whichever was plugged in last") == true, "\(error?.message ?? "")")
    #expect(error?.message.contains(serial ?? "without serial numbers") == true)
    // Other nodes are named as ever.
    #expect(try path(of: "/dev/video2") == "/dev/video2")
  }

  /// When only the other one is left, the link leads to it, and that is said.
  @Test func aNameThatMovesToAnotherPortIsSaid() throws {
    let link = "/dev/v4l/by-id/usb-Acme_HD_Webcam_1-video-index0"
    try tree.add(0, port: "1-1", serial: "1", link: "usb-Acme_HD_Webcam_1-video-index0")
    let source = VideoSource(.init(path: link), system: system(), interrupt: Interrupt(), encoder: { nil })
    #expect(try source.open().warnings.isEmpty)
    #expect(try source.open().warnings.isEmpty)
    try #require(
      Glibc.system("rm -r '\(tree.root)/sys/devices/usb1/1-1' '\(tree.root)/sys/class/video4linux/video0'") == 0)
    try tree.add(1, port: "1-2", serial: "1", link: "usb-Acme_HD_Webcam_1-video-index0")
    let warnings = try source.open().warnings
    #expect(warnings.count == 1 && warnings[0].contains("1-2") && warnings[0].contains("1-1"), "\(warnings)")
    #expect(try source.open().warnings.isEmpty, "it is said once")
  }

  @Test func withoutVideoThereIsNothing() throws {
    #expect(DeviceTree(root: tree.root).nodes().isEmpty)
    #expect(captureError { _ = try path(of: "usb:SN") }?.code == .unreachable)
  }

  @Test func theListSaysWhatEachCameraIsAndCan() throws {
    try tree.addPlatform(0)
    try tree.add(1, port: "1-1.4", serial: "SN\u{1b}[31m1", product: "HD\u{7} Webcam")
    try tree.add(2, port: "1-1.4", index: 1, serial: "SN\u{1b}[31m1", product: "HD\u{7} Webcam")
    let list = DeviceList(system: system(metadata: [2]))
    #expect(list.devices.map(\.path) == ["/dev/video0", "/dev/video1", "/dev/video2"])
    #expect(list.devices.map(\.isCamera) == [true, true, false])
    #expect(list.devices[0].setting == "/dev/v4l/by-id/usb-Acme-0-video-index0")
    #expect(list.devices[1].setting == "usb:SN[31m1")
    #expect(list.devices[1].links == ["/dev/v4l/by-id/usb-Acme-1-video-index0"])
    let text = list.text
    for part in [
      "/dev/video1", "HD Webcam", "device: usb:SN[31m1", "046d:0825", "mjpeg", "1920x1080", "@30, @15",
    ] { #expect(text.contains(part), "\(text)") }
    #expect(!text.unicodeScalars.contains("\u{1b}") && !text.unicodeScalars.contains("\u{7}"))
    let json = list.json.text
    for part in [#""serial":"SN[31m1""#, #""encoding":"mjpeg""#, #""width":1920"#, #""rates":[30.0,15.0]"#] {
      #expect(json.contains(part), "\(json)")
    }
  }

  /// Unplugged and plugged in again, a camera has another number, and goes on.
  @Test func replugging() throws {
    try tree.add(0, port: "1-1", serial: "SN1")
    let devices = Monitor<[String: ScriptedDevice]>(["/dev/video0": ScriptedDevice()])
    let root = tree.root
    let system = VideoSystem(root: root) { (path) throws(SystemError) in
      guard let device = devices.read({ $0[String(path.dropFirst(root.count))] }) else {
        throw SystemError(code: ENOENT, operation: "open")
      }
      return device
    }
    let frames = Monitor<[Frame]>([])
    let name = try #require(CameraName("desk"))
    let camera = Camera(
      CameraDescription(name: name, source: .device(.init(path: "usb:SN1", format: .init(encoding: .mjpeg)))),
      log: Log { _ in }, video: system
    ) { frame in frames.withLock { $0.append(frame) } }
    camera.start()
    let jpeg = try Clips.jpegs()[0]
    let first = try #require(devices.read { $0["/dev/video0"] })
    first.play(.frame(jpeg), .frame(jpeg))
    _ = frames.wait(until: .now() + .seconds(60)) { $0.count == 2 ? true : nil }
    try tree.add(3, port: "1-2", serial: "SN1")
    try #require(Glibc.system("rm -r '\(root)/sys/devices/usb1/1-1' '\(root)/sys/class/video4linux/video0'") == 0)
    let second = ScriptedDevice()
    second.play(.frame(jpeg))
    devices.withLock { $0 = ["/dev/video3": second] }
    first.play(.failure(ENODEV))
    let gap = frames.wait(until: .now() + .seconds(60)) { $0.count == 3 ? $0[2].gap : nil }
    camera.stop()
    #expect(camera.join(until: .now() + .seconds(60)))
    #expect(gap == Gap(frameCount: nil, reason: .network))
    #expect(first.isClosed && first.mapped == 0)
  }
}
