import CV4L2
import Frames
import Glibc
import Posix

// A device that streams: the format the driver gave, and its buffers. The buffers belong to the driver and are unmapped
// on closing, so what is in them is lent, never kept.

/// What was agreed with the driver.
struct VideoAgreement: Equatable {
  var encoding: DeviceEncoding
  var width: Int
  var height: Int
  /// Frames a second, where the driver says.
  var rate: Double?
  var bytesPerRow: Int
  var isFullRange: Bool

  /// As it would stand in the settings.
  var text: String { "\(encoding.rawValue) \(width)x\(height)" + (rate.map { "@\(trimmed($0))" } ?? "") }
}

/// One buffer that came from the driver.
struct VideoBuffer {
  var bytes: UnsafeRawBufferPointer
  /// Counts all frames of the device, also those that found no buffer.
  var sequence: UInt32
  /// The driver calls it damaged (V4L2_BUF_FLAG_ERROR).
  var isDamaged: Bool
  /// CLOCK_MONOTONIC, where the driver uses that clock.
  var time: MonotonicTime?
}

/// A device from its format to its last buffer. Used by one thread.
final class VideoStream {
  /// How many buffers are asked for: one with the driver, one full, and two to be late.
  static let bufferCount: UInt32 = 4
  /// No picture of a camera is larger, bytes.
  static let largestBuffer = 256 << 20

  let device: any VideoDevice
  let agreement: VideoAgreement
  private var buffers: [UnsafeMutableRawBufferPointer] = []

  /// Agrees on a format with the device, which is from now on closed with this object.
  init(_ device: any VideoDevice, wanted: DeviceFormat) throws(CaptureError) {
    var isAgreed = false
    defer { if !isAgreed { device.close() } }
    let capability = try asCaptureError("opening it") { () throws(SystemError) in try device.capability() }
    guard capability.canCapture else {
      let isMultiplanar = capability.flags & UInt32(V4L2_CAP_VIDEO_CAPTURE_MPLANE) != 0
      throw CaptureError(
        .unusable,
        isMultiplanar
          ? "this device gives pictures in several planes (V4L2 multi-planar), which Camgate cannot read yet"
          : "this device gives no pictures: a camera has several, take another one (camgate devices lists them)")
    }
    let choice = try VideoChoice(of: device, wanted: wanted)
    let agreement = try asCaptureError("agreeing on a format") { () throws(SystemError) in
      var agreement = try VideoStream.setFormat(device, choice)
      agreement.rate = try VideoStream.setRate(device, wanted.fps)
      return agreement
    }
    (self.device, self.agreement, isAgreed) = (device, agreement, true)
  }

  deinit {
    var type = camgate_capture_type
    try? device.request(camgate_vidioc_streamoff, &type)
    for buffer in buffers { device.unmap(buffer) }
    device.close()
  }

  /// Gives the driver its buffers and starts.
  func start() throws(SystemError) {
    var wanted = v4l2_requestbuffers()
    (wanted.count, wanted.type, wanted.memory) = (VideoStream.bufferCount, camgate_capture_type, camgate_memory_mmap)
    try device.request(camgate_vidioc_reqbufs, &wanted)
    for index in 0..<min(wanted.count, 32) {
      var buffer = emptyBuffer(index)
      try device.request(camgate_vidioc_querybuf, &buffer)
      guard (1...VideoStream.largestBuffer).contains(Int(buffer.length)) else {
        throw SystemError(code: EINVAL, operation: "VIDIOC_QUERYBUF")
      }
      buffers.append(try device.map(offset: buffer.m.offset, byteCount: Int(buffer.length)))
      try device.request(camgate_vidioc_qbuf, &buffer)
    }
    var type = camgate_capture_type
    try device.request(camgate_vidioc_streamon, &type)
  }

  /// Lends the next buffer to `body` and gives it back to the driver; nil when there is none after `milliseconds`.
  func next<Result>(
    within milliseconds: Int32, _ body: (VideoBuffer) -> Result
  ) throws(SystemError) -> Result? {
    let readiness = try device.wait(milliseconds: milliseconds)
    if readiness == .nothing { return nil }
    var buffer = emptyBuffer(0)
    do throws(SystemError) {
      try device.request(camgate_vidioc_dqbuf, &buffer)
    } catch {
      // Nothing there although poll says that something is the matter: it would say so again at once, for ever.
      if error.code == EAGAIN, readiness == .failed { throw SystemError(code: ENODEV, operation: "poll") }
      if error.code == EAGAIN { return nil }
      throw error
    }
    guard Int(buffer.index) < buffers.count else { throw SystemError(code: EIO, operation: "VIDIOC_DQBUF") }
    let memory = buffers[Int(buffer.index)]
    let clock = buffer.flags & UInt32(V4L2_BUF_FLAG_TIMESTAMP_MASK)
    let seconds = Int64(buffer.timestamp.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    let time = seconds.partialValue.addingSaturated(Int64(clamping: buffer.timestamp.tv_usec &* 1_000))
    let isKnown = clock == UInt32(V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC) && !seconds.overflow
    let result = body(
      VideoBuffer(
        bytes: UnsafeRawBufferPointer(rebasing: memory[..<min(Int(buffer.bytesused), memory.count)]),
        sequence: buffer.sequence, isDamaged: buffer.flags & UInt32(V4L2_BUF_FLAG_ERROR) != 0,
        time: isKnown ? MonotonicTime(nanoseconds: time) : nil))
    try device.request(camgate_vidioc_qbuf, &buffer)
    return result
  }

  private func emptyBuffer(_ index: UInt32) -> v4l2_buffer {
    var buffer = v4l2_buffer()
    (buffer.index, buffer.type, buffer.memory) = (index, camgate_capture_type, camgate_memory_mmap)
    return buffer
  }

  private static func setFormat(
    _ device: any VideoDevice, _ choice: VideoChoice
  ) throws(SystemError) -> VideoAgreement {
    var format = v4l2_format()
    format.type = camgate_capture_type
    format.fmt.pix.pixelformat = choice.fourCC
    (format.fmt.pix.width, format.fmt.pix.height) = (UInt32(choice.size.width), UInt32(choice.size.height))
    format.fmt.pix.field = camgate_field_any
    try device.request(camgate_vidioc_s_fmt, &format)
    var given = format.fmt.pix
    guard let encoding = DeviceEncoding(fourCC: given.pixelformat) else {
      throw SystemError(
        code: EINVAL, operation: "VIDIOC_S_FMT: the driver insists on \(VideoFormat.code(given.pixelformat))")
    }
    let row = encoding.rawLayout?.rowByteCount(width: Int(given.width)) ?? 0
    return VideoAgreement(
      encoding: encoding, width: Int(given.width), height: Int(given.height), rate: nil,
      bytesPerRow: max(Int(given.bytesperline), row),
      isFullRange: camgate_is_full_range(&given, encoding.rawLayout?.isRGB == true ? 1 : 0) == 1)
  }

  /// Asks for `fps` and gives what the driver does; nil when it does not say.
  private static func setRate(_ device: any VideoDevice, _ fps: Int?) throws(SystemError) -> Double? {
    var parameters = v4l2_streamparm()
    parameters.type = camgate_capture_type
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
}

/// `rate` with two decimals at most.
func trimmed(_ rate: Double) -> String {
  let hundredths = Int((min(rate, 1e9) * 100).rounded())
  if hundredths % 100 == 0 { return "\(hundredths / 100)" }
  let fraction = hundredths % 100 < 10 ? "0\(hundredths % 100)" : "\(hundredths % 100)"
  return "\(hundredths / 100)." + (fraction.last == "0" ? String(fraction.dropLast()) : fraction)
}
