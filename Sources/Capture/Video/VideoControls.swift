import CV4L2
import Frames
import Posix

// Exposure, focus and the like, by the driver's own names.

/// A control of a device.
struct VideoControl: Equatable {
  enum Kind: Equatable {
    case number, truth, menu, button
  }

  var id: UInt32
  /// The driver's name in small letters with underscores, as v4l2-ctl(1) writes it: `exposure_time_absolute`.
  var name: String
  var kind: Kind
  var range: ClosedRange<Int>
  var defaultValue: Int
  /// nil where it cannot be read.
  var value: Int?
  /// The entries of a menu by their numbers.
  var entries: [Int: String] = [:]
  /// Out of effect for now, e.g. because an automatic has it.
  var isInactive: Bool

  /// The number that `text` means for this control; nil when it means none.
  func number(for text: String) -> Int? {
    if kind == .truth, let truth = ["true": 1, "false": 0][text] { return truth }
    if let number = Int(text) { return range.contains(number) ? number : nil }
    let wanted = VideoControl.simplified(text)
    return entries.first { VideoControl.simplified($0.value) == wanted }?.key
  }

  /// What may be written for it.
  var choices: String {
    switch kind {
    case .truth: "true or false"
    case .menu: entries.sorted { $0.key < $1.key }.map { VideoControl.simplified($0.value) }.joined(separator: ", ")
    case .number, .button: "\(range.lowerBound) to \(range.upperBound)"
    }
  }

  /// Letters and digits in small letters, runs of anything else as one underscore.
  static func simplified(_ name: String) -> String {
    let words = name.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
    return words.joined(separator: "_")
  }
}

extension VideoDevice {
  /// All controls that hold a number (VIDIOC_QUERYCTRL with V4L2_CTRL_FLAG_NEXT_CTRL).
  func controls() -> [VideoControl] {
    var controls: [VideoControl] = []
    var last: UInt32 = 0
    for _ in 0..<256 {
      var answer = v4l2_queryctrl()
      answer.id = last | UInt32(V4L2_CTRL_FLAG_NEXT_CTRL)
      do throws(SystemError) { try request(camgate_vidioc_queryctrl, &answer) } catch { break }
      // A driver that does not go on would do so for ever.
      guard answer.id > last else { break }
      last = answer.id
      if answer.flags & UInt32(V4L2_CTRL_FLAG_DISABLED) == 0, let control = control(answer) { controls.append(control) }
    }
    return controls
  }

  private func control(_ answer: v4l2_queryctrl) -> VideoControl? {
    let kind: VideoControl.Kind
    switch v4l2_ctrl_type(answer.type) {
    case V4L2_CTRL_TYPE_INTEGER, V4L2_CTRL_TYPE_BITMASK: kind = .number
    case V4L2_CTRL_TYPE_BOOLEAN: kind = .truth
    case V4L2_CTRL_TYPE_MENU, V4L2_CTRL_TYPE_INTEGER_MENU: kind = .menu
    case V4L2_CTRL_TYPE_BUTTON: kind = .button
    default: return nil
    }
    let range = Int(answer.minimum)...max(Int(answer.minimum), Int(answer.maximum))
    var control = VideoControl(
      id: answer.id, name: VideoControl.simplified(text(inTuple: answer.name)), kind: kind, range: range,
      defaultValue: Int(answer.default_value), isInactive: answer.flags & UInt32(V4L2_CTRL_FLAG_INACTIVE) != 0)
    if v4l2_ctrl_type(answer.type) == V4L2_CTRL_TYPE_MENU {
      for index in range.prefix(64) where index >= 0 {
        var entry = camgate_querymenu()
        (entry.id, entry.index) = (answer.id, UInt32(index))
        do throws(SystemError) { try request(camgate_vidioc_querymenu, &entry) } catch { continue }
        control.entries[index] = text(inTuple: entry.name)
      }
    }
    var value = v4l2_control()
    value.id = answer.id
    let isReadable = answer.flags & UInt32(V4L2_CTRL_FLAG_WRITE_ONLY) == 0 && kind != .button
    if isReadable, (try? request(camgate_vidioc_g_ctrl, &value)) != nil { control.value = Int(value.value) }
    return control
  }

  /// Sets controls in their order. What cannot be set is said and does not keep the camera from working.
  func set(_ wanted: [CameraDescription.Control]) throws(SystemError) -> [String] {
    if wanted.isEmpty { return [] }
    var complaints: [String] = []
    for setting in wanted {
      // Anew for each: one control may switch others on.
      let known = controls()
      let name = VideoControl.simplified(setting.name)
      guard let control = known.first(where: { $0.name == name }) else {
        let names = known.map(\.name).joined(separator: ", ")
        complaints.append("the device has no control '\(setting.name)'; it has: \(names.isEmpty ? "none" : names)")
        continue
      }
      guard let number = control.number(for: setting.value) else {
        complaints.append("control \(name) cannot be '\(setting.value)': it takes \(control.choices)")
        continue
      }
      var value = v4l2_control()
      (value.id, value.value) = (control.id, Int32(clamping: number))
      do throws(SystemError) {
        try request(camgate_vidioc_s_ctrl, &value)
      } catch {
        if error.isUnplugged { throw error }
        let hint = control.isInactive ? " (it is inactive: an automatic may have it)" : ""
        complaints.append("control \(name) cannot be set to \(setting.value): \(describe(errno: error.code))\(hint)")
        continue
      }
      if Int(value.value) != number {
        complaints.append("control \(name): asked for \(number), the driver takes \(value.value)")
      }
    }
    return complaints
  }
}
