import CV4L2
import Frames
import Glibc
import Posix

// A device that streams: the format the driver gave, and its buffers. The buffers belong to the driver and are unmapped
// on closing, so what is in them is lent, never kept. A buffer is one piece of memory or, where a driver wants it so, one
// for each plane of a picture; these are put together.

/// One buffer that came from the driver.
struct VideoBuffer {
  /// Empty when a part of it is missing.
  var bytes: UnsafeRawBufferPointer
  /// Counts all frames of the device, also those that found no buffer.
  var sequence: UInt32
  /// The driver calls it damaged (V4L2_BUF_FLAG_ERROR).
  var isDamaged: Bool
  /// It holds only the lower one of a picture's two fields.
  var isBottomField: Bool
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
  private let bufferType: UInt32
  /// Each with its pieces of memory.
  private var buffers: [[UnsafeMutableRawBufferPointer]] = []
  /// What ioctls say of the pieces of one buffer; `v4l2_buffer` points to it.
  private let planes: UnsafeMutableBufferPointer<v4l2_plane>
  /// Where the planes of a picture are put together.
  private var joined: [UInt8] = []

  /// Agrees on a format with the device, which is from now on closed with this object.
  init(_ device: any VideoDevice, wanted: DeviceFormat) throws(CaptureError) {
    var isAgreed = false
    defer { if !isAgreed { device.close() } }
    let capability = try asCaptureError("opening it") { () throws(SystemError) in try device.capability() }
    guard capability.canCapture, let bufferType = capability.bufferType else {
      throw CaptureError(
        .unusable,
        "this device gives no pictures: a camera has several, take another one (camgate devices lists them)")
    }
    let choice = try VideoChoice(of: device, bufferType, wanted: wanted)
    agreement = try asCaptureError("agreeing on a format") { () throws(SystemError) in
      try VideoAgreement(with: device, bufferType, choice, fps: wanted.fps)
    }
    planes = .allocate(capacity: Int(VIDEO_MAX_PLANES))
    (self.device, self.bufferType, isAgreed) = (device, bufferType, true)
  }

  deinit {
    var type = bufferType
    try? device.request(camgate_vidioc_streamoff, &type)
    for buffer in buffers { for memory in buffer { device.unmap(memory) } }
    device.close()
    planes.deallocate()
  }

  /// Gives the driver its buffers and starts.
  func start() throws(SystemError) {
    var wanted = v4l2_requestbuffers()
    (wanted.count, wanted.type, wanted.memory) = (VideoStream.bufferCount, bufferType, camgate_memory_mmap)
    try device.request(camgate_vidioc_reqbufs, &wanted)
    for index in 0..<min(wanted.count, 32) {
      var buffer = emptyBuffer(index)
      try device.request(camgate_vidioc_querybuf, &buffer)
      buffers.append([])
      for piece in try pieces(of: buffer) {
        buffers[Int(index)].append(try device.map(offset: piece.offset, byteCount: piece.byteCount))
      }
      try device.request(camgate_vidioc_qbuf, &buffer)
    }
    var type = bufferType
    try device.request(camgate_vidioc_streamon, &type)
  }

  /// Where the memory of a buffer is, by VIDIOC_QUERYBUF.
  private func pieces(of buffer: v4l2_buffer) throws(SystemError) -> [(offset: UInt32, byteCount: Int)] {
    let pieces =
      isMultiplanar
      ? planes.prefix(agreement.planeCount).map { (offset: $0.m.mem_offset, byteCount: Int($0.length)) }
      : [(offset: buffer.m.offset, byteCount: Int(buffer.length))]
    guard pieces.count == agreement.planeCount,
      pieces.allSatisfy({ (1...VideoStream.largestBuffer).contains($0.byteCount) })
    else { throw SystemError(code: EINVAL, operation: "VIDIOC_QUERYBUF") }
    return pieces
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
    let clock = buffer.flags & UInt32(V4L2_BUF_FLAG_TIMESTAMP_MASK)
    let seconds = Int64(buffer.timestamp.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    let time = seconds.partialValue.addingSaturated(Int64(clamping: buffer.timestamp.tv_usec &* 1_000))
    let isKnown = clock == UInt32(V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC) && !seconds.overflow
    let result = withContent(of: buffer) { bytes in
      body(
        VideoBuffer(
          bytes: bytes, sequence: buffer.sequence, isDamaged: buffer.flags & UInt32(V4L2_BUF_FLAG_ERROR) != 0,
          isBottomField: buffer.field == V4L2_FIELD_BOTTOM.rawValue,
          time: isKnown ? MonotonicTime(nanoseconds: time) : nil))
    }
    try device.request(camgate_vidioc_qbuf, &buffer)
    return result
  }

  private func withContent<Result>(of buffer: v4l2_buffer, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let memory = buffers[Int(buffer.index)]
    guard isMultiplanar else {
      return body(UnsafeRawBufferPointer(rebasing: memory[0][..<min(Int(buffer.bytesused), memory[0].count)]))
    }
    // `bytesused` counts from the beginning of the memory, `data_offset` is within it (struct v4l2_plane).
    let parts = zip(memory, planes).map { memory, plane in
      let end = min(Int(plane.bytesused), memory.count)
      return UnsafeRawBufferPointer(rebasing: memory[min(Int(plane.data_offset), end)..<end])
    }
    guard parts.count > 1, let layout = agreement.encoding.rawLayout else { return body(parts[0]) }
    let counts = layout.planeByteCounts(height: agreement.height, bytesPerRow: agreement.bytesPerRow)
    joined.removeAll(keepingCapacity: true)
    if zip(parts, counts).allSatisfy({ $0.count >= $1 }) {
      for (part, count) in zip(parts, counts) { joined.append(contentsOf: part.prefix(count)) }
    }
    return joined.withUnsafeBytes(body)
  }

  private var isMultiplanar: Bool { bufferType == camgate_multiplanar_type }

  private func emptyBuffer(_ index: UInt32) -> v4l2_buffer {
    var buffer = v4l2_buffer()
    (buffer.index, buffer.type, buffer.memory) = (index, bufferType, camgate_memory_mmap)
    if isMultiplanar {
      planes.initialize(repeating: v4l2_plane())
      (buffer.m.planes, buffer.length) = (planes.baseAddress, UInt32(planes.count))
    }
    return buffer
  }
}
