import ArgumentParser
import Capture

/// `camgate devices`
struct Devices: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the V4L2 cameras that are plugged in: how to name them, what they can do.",
    discussion: """
      For each video device what to write as `device` into the settings, its formats with sizes and rates for `format`, \
      and its controls with their values for `controls`. A camera often has a second device that gives no pictures. \
      `camgate probe usb:SERIAL` looks whether a camera works.
      """)

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let list = DeviceList()
    if json {
      try Terminal.writeResult(list.json)
    } else if list.isEmpty {
      Terminal.writeError(message: "no video devices; `lsusb` and `dmesg` tell whether the camera is seen at all")
    } else {
      try Terminal.writeResult(list.text)
    }
  }
}
