import CV4L2
import Frames
import Glibc
import Posix

// What a driver gives, which is seldom all that was asked for.

/// Format and rate, agreed on with a device.
struct VideoAgreement: Equatable {
  var encoding: DeviceEncoding
  var width: Int
  var height: Int
  /// Frames a second, where the driver says.
  var rate: Double?
  var bytesPerRow: Int
  var isFullRange: Bool
  /// What is converted to `encoding`'s layout: the driver's code and its bytes from row to row. nil when nothing is.
  var source: Source?
  /// Pieces of memory that a picture is in.
  var planeCount: Int
  /// What a buffer holds of a picture.
  var fields: Fields

  struct Source: Equatable {
    var fourCC: UInt32
    var bytesPerRow: Int
  }

  /// Of the orders of fields (enum v4l2_field) those that pictures can be made of.
  enum Fields: Equatable {
    /// All lines of one moment.
    case progressive
    /// Both fields, line by line: a picture with combs where something moves.
    case interlaced
    /// One field, always the same: a picture of half the height.
    case single
    /// The two fields in turns.
    case alternating

    /// nil for fields one below the other, and for what cannot be known.
    init?(_ field: UInt32) {
      switch v4l2_field(field) {
      case V4L2_FIELD_ANY, V4L2_FIELD_NONE: self = .progressive
      case V4L2_FIELD_INTERLACED, V4L2_FIELD_INTERLACED_TB, V4L2_FIELD_INTERLACED_BT: self = .interlaced
      case V4L2_FIELD_TOP, V4L2_FIELD_BOTTOM: self = .single
      case V4L2_FIELD_ALTERNATE: self = .alternating
      default: return nil
      }
    }

    /// What people should know.
    var warning: String? {
      switch self {
      case .progressive: nil
      case .interlaced: "the driver gives interlaced pictures: both fields in one, with combs where something moves"
      case .single: "the driver gives one of two fields: pictures of half the height"
      case .alternating: "the driver gives the two fields in turns: only the top fields are used, of half the height"
      }
    }
  }

  /// As it would stand in the settings.
  var text: String { "\(encoding.rawValue) \(width)x\(height)" + (rate.map { "@\(trimmed($0))" } ?? "") }

  /// The same with what it is made of.
  var remark: String { source.map { "\(text) (from \(VideoFormat.code($0.fourCC)), by libv4l)" } ?? text }

  /// Asks `device` for what was chosen, and for `fps`.
  init(with device: any VideoDevice, _ bufferType: UInt32, _ choice: VideoChoice, fps: Int?) throws(SystemError) {
    var wanted = camgate_picture()
    (wanted.fourcc, wanted.field) = (choice.fourCC, camgate_field_none)
    (wanted.width, wanted.height) = (UInt32(choice.size.width), UInt32(choice.size.height))
    var format = camgate_format(bufferType, wanted)
    try device.request(camgate_vidioc_s_fmt, &format)
    var given = camgate_picture_of(&format)
    let code = VideoFormat.code(given.fourcc)
    guard let encoding = DeviceEncoding(fourCC: given.fourcc) else {
      throw SystemError(code: EINVAL, operation: "VIDIOC_S_FMT: the driver insists on \(code)")
    }
    guard let fields = Fields(given.field) else {
      throw SystemError(
        code: EINVAL,
        operation: "VIDIOC_S_FMT: the driver gives two fields one after the other; ask for another format or size")
    }
    (self.encoding, width, height, self.fields) = (encoding, Int(given.width), Int(given.height), fields)
    let row = encoding.rawLayout?.rowByteCount(width: width) ?? 0
    source =
      encoding == .converted ? Source(fourCC: given.fourcc, bytesPerRow: Int(given.bytes_per_row.0)) : nil
    bytesPerRow = source == nil ? max(Int(given.bytes_per_row.0), row) : row
    isFullRange = camgate_is_full_range(&given, encoding.rawLayout?.isRGB == true ? 1 : 0) == 1
    planeCount = Int(given.plane_count)
    guard hasUsualPlanes(given) else {
      throw SystemError(code: EINVAL, operation: "VIDIOC_S_FMT: \(code) in \(planeCount) planes of unusual rows")
    }
    rate = try VideoAgreement.setRate(device, bufferType, fps)
  }

  /// Whether all is in one piece, or each plane in one, with rows as they would be in one.
  private func hasUsualPlanes(_ given: camgate_picture) -> Bool {
    if planeCount == 1 { return true }
    guard let layout = encoding.rawLayout else { return false }
    let rows = [given.bytes_per_row.1, given.bytes_per_row.2].prefix(max(0, planeCount - 1)).map(Int.init)
    let usual = layout == .nv12 || layout == .nv21 ? bytesPerRow : (bytesPerRow + 1) / 2
    return planeCount == layout.planeByteCounts(height: height, bytesPerRow: bytesPerRow).count
      && rows.allSatisfy { $0 == usual || $0 == 0 }
  }

  /// Asks for `fps` and gives what the driver does; nil when it does not say.
  private static func setRate(
    _ device: any VideoDevice, _ bufferType: UInt32, _ fps: Int?
  ) throws(SystemError) -> Double? {
    var parameters = v4l2_streamparm()
    parameters.type = bufferType
    do throws(SystemError) {
      try device.request(camgate_vidioc_g_parm, &parameters)
      if let fps, parameters.parm.capture.capability & UInt32(V4L2_CAP_TIMEPERFRAME) != 0 {
        parameters.parm.capture.timeperframe = v4l2_fract(numerator: 1, denominator: UInt32(fps))
        try device.request(camgate_vidioc_s_parm, &parameters)
      }
    } catch {
      if error.isUnplugged { throw error }
      return nil
    }
    return parameters.parm.capture.timeperframe.rate
  }

  /// In which ways it is not what was asked for, or not what a picture should be.
  func differences(from wanted: DeviceFormat) -> [String] {
    var isDifferent = wanted.encoding != nil && wanted.encoding != encoding
    if let width = wanted.width, let height = wanted.height {
      isDifferent = isDifferent || (width, height) != (self.width, self.height)
    }
    if let fps = wanted.fps, rate == nil || abs((rate ?? 0) - Double(fps)) > 0.5 { isDifferent = true }
    return (isDifferent ? ["asked for \(wanted), the driver gives \(text)"] : []) + (fields.warning.map { [$0] } ?? [])
  }
}

/// `rate` with two decimals at most.
func trimmed(_ rate: Double) -> String {
  let hundredths = Int((min(rate, 1e9) * 100).rounded())
  if hundredths % 100 == 0 { return "\(hundredths / 100)" }
  let fraction = hundredths % 100 < 10 ? "0\(hundredths % 100)" : "\(hundredths % 100)"
  return "\(hundredths / 100)." + (fraction.last == "0" ? String(fraction.dropLast()) : fraction)
}
