import CV4L2
import Frames
import Posix

// What a device can do: identity, formats, sizes, rates. Every list is bounded: a driver's counter may be broken.

/// A pixel format as the driver lists it.
struct VideoFormat: Equatable {
  /// Four characters, least byte first.
  var fourCC: UInt32
  /// The driver's words, e.g. "Motion-JPEG".
  var name: String
  /// What Camgate calls it; nil when it cannot use it.
  var encoding: DeviceEncoding? { DeviceEncoding(fourCC: fourCC) }
  /// Its place among what is converted; nil when it is not.
  var conversionRank: Int? { VideoConverter.fourCCs.firstIndex(of: fourCC) }
  /// As it is mostly written, e.g. `MJPG`.
  var code: String { VideoFormat.code(fourCC) }

  static func code(_ fourCC: UInt32) -> String {
    let bytes = (0..<4).map { UInt8(truncatingIfNeeded: fourCC >> ($0 * 8) & 0x7f) }
    return String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
  }
}

/// The sizes of a format.
enum VideoSizes: Equatable {
  case list([Size])
  case range(width: ClosedRange<Int>, height: ClosedRange<Int>)

  struct Size: Equatable {
    var width: Int
    var height: Int
    var area: Int { width * height }
  }
}

/// What a device is.
struct VideoCapability {
  var driver: String
  var card: String
  var bus: String
  /// V4L2_CAP_…, of this node and not of the whole device.
  var flags: UInt32

  /// Whether pictures can be captured from it the way Camgate does.
  var canCapture: Bool { bufferType != nil && flags & UInt32(V4L2_CAP_STREAMING) != 0 }

  /// Which of V4L2's two interfaces it has: one piece of memory a picture or several (many cameras on a board's own
  /// connector, most of which then use one). nil when it gives no pictures.
  var bufferType: UInt32? {
    if flags & UInt32(V4L2_CAP_VIDEO_CAPTURE) != 0 { return camgate_capture_type }
    return flags & UInt32(V4L2_CAP_VIDEO_CAPTURE_MPLANE) != 0 ? camgate_multiplanar_type : nil
  }
}

extension VideoDevice {
  /// VIDIOC_QUERYCAP; ENOTTY when this is no video device.
  func capability() throws(SystemError) -> VideoCapability {
    var answer = v4l2_capability()
    try request(camgate_vidioc_querycap, &answer)
    let ofNode = answer.capabilities & UInt32(V4L2_CAP_DEVICE_CAPS) != 0
    return VideoCapability(
      driver: text(inTuple: answer.driver), card: text(inTuple: answer.card), bus: text(inTuple: answer.bus_info),
      flags: ofNode ? answer.device_caps : answer.capabilities)
  }

  /// VIDIOC_ENUM_FMT
  func formats(_ bufferType: UInt32) -> [VideoFormat] {
    listing(upTo: 64) { (index) throws(SystemError) in
      var answer = v4l2_fmtdesc()
      (answer.index, answer.type) = (index, bufferType)
      try request(camgate_vidioc_enum_fmt, &answer)
      return VideoFormat(fourCC: answer.pixelformat, name: text(inTuple: answer.description))
    }
  }

  /// VIDIOC_ENUM_FRAMESIZES; nil when the driver does not say.
  func sizes(of format: VideoFormat) -> VideoSizes? {
    var range: VideoSizes?
    let sizes = listing(upTo: 128) { (index) throws(SystemError) -> VideoSizes.Size? in
      var answer = v4l2_frmsizeenum()
      (answer.index, answer.pixel_format) = (index, format.fourCC)
      try request(camgate_vidioc_enum_framesizes, &answer)
      if answer.type == camgate_size_discrete {
        return VideoSizes.Size(width: Int(answer.discrete.width), height: Int(answer.discrete.height))
      }
      let step = answer.stepwise
      let (widths, heights) = ((Int(step.min_width), Int(step.max_width)), (Int(step.min_height), Int(step.max_height)))
      if widths.0 <= widths.1, heights.0 <= heights.1 {
        range = .range(width: widths.0...widths.1, height: heights.0...heights.1)
      }
      return nil
    }
    return range ?? (sizes.isEmpty ? nil : .list(sizes))
  }

  /// VIDIOC_ENUM_FRAMEINTERVALS as frames a second, quickest first; of a range both ends.
  func rates(of format: VideoFormat, _ size: VideoSizes.Size) -> [Double] {
    var ends: [Double] = []
    let rates = listing(upTo: 64) { (index) throws(SystemError) -> Double? in
      var answer = v4l2_frmivalenum()
      (answer.index, answer.pixel_format) = (index, format.fourCC)
      (answer.width, answer.height) = (UInt32(clamping: size.width), UInt32(clamping: size.height))
      try request(camgate_vidioc_enum_frameintervals, &answer)
      if answer.type == camgate_interval_discrete { return answer.discrete.rate }
      ends = [answer.stepwise.min, answer.stepwise.max].compactMap(\.rate)
      return nil
    }
    return (rates + ends).sorted(by: >)
  }

  /// Calls `next` with 0, 1, 2, … until it has no more (it throws or gives nil).
  private func listing<Item>(upTo limit: UInt32, _ next: (UInt32) throws(SystemError) -> Item?) -> [Item] {
    var items: [Item] = []
    for index in 0..<limit {
      do throws(SystemError) {
        guard let item = try next(index) else { break }
        items.append(item)
      } catch {
        break
      }
    }
    return items
  }
}

extension v4l2_fract {
  /// As an interval: frames a second; nil when it is none.
  var rate: Double? { numerator > 0 && denominator > 0 ? Double(denominator) / Double(numerator) : nil }
}

extension DeviceEncoding {
  /// The kernel's codes for each: the usual one, others for the same, and where its planes lie apart.
  var fourCCs: [UInt32] {
    switch self {
    case .mjpeg: ["MJPG", "JPEG"].map(DeviceEncoding.fourCC)
    case .h264: [DeviceEncoding.fourCC("H264")]
    case .h265: [DeviceEncoding.fourCC("HEVC")]
    case .nv12: ["NV12", "NM12"].map(DeviceEncoding.fourCC)
    case .nv21: ["NV21", "NM21"].map(DeviceEncoding.fourCC)
    case .yuyv: [DeviceEncoding.fourCC("YUYV")]
    case .uyvy: [DeviceEncoding.fourCC("UYVY")]
    case .yu12: ["YU12", "YM12"].map(DeviceEncoding.fourCC)
    case .yv12: ["YV12", "YM21"].map(DeviceEncoding.fourCC)
    case .grey: [DeviceEncoding.fourCC("GREY")]
    case .rgb24: [DeviceEncoding.fourCC("RGB3")]
    case .bgr24: [DeviceEncoding.fourCC("BGR3")]
    case .converted: VideoConverter.fourCCs
    }
  }

  init?(fourCC: UInt32) {
    guard let encoding = DeviceEncoding.allCases.first(where: { $0.fourCCs.contains(fourCC) }) else { return nil }
    self = encoding
  }

  static func fourCC(_ code: String) -> UInt32 {
    code.utf8.enumerated().reduce(0) { $0 | UInt32($1.element) << (UInt32($1.offset) * 8) }
  }
}

/// The text in a C array of characters, up to its NUL; control characters are left out.
func text<Tuple>(inTuple tuple: Tuple) -> String {
  withUnsafeBytes(of: tuple) { bytes in
    String(decoding: bytes.prefix { $0 != 0 }.filter { $0 >= 0x20 && $0 != 0x7f }, as: UTF8.self)
  }
}
