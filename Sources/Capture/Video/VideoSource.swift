import CV4L2
import Frames
import Glibc
import Posix

// V4L2 cameras. A camera that is unplugged is one that has disconnected; plugged in again, it is found by its name.

/// One V4L2 camera.
final class VideoSource: Source {
  private let description: CameraDescription.Device
  private let system: VideoSystem
  private let interrupt: Interrupt
  private let makeEncoder: @Sendable () -> (any PictureEncoder)?
  private var encoder: (any PictureEncoder)?
  private var stream: VideoStream?
  private var converter: VideoConverter?
  /// Where it was plugged in when it was last opened.
  private var lastPort: String?
  private var lastSequence: UInt32?

  /// How far in the past a buffer's own time may be and still be believed, nanoseconds: drivers are known to be wrong.
  private static let ages: ClosedRange<Int64> = 0...10_000_000_000

  init(
    _ description: CameraDescription.Device, system: VideoSystem = VideoSystem(), interrupt: Interrupt,
    encoder: @escaping @Sendable () -> (any PictureEncoder)?
  ) {
    (self.description, self.system, self.interrupt, makeEncoder) = (description, system, interrupt, encoder)
  }

  func open() throws(CaptureError) -> SourceStream {
    close()
    let tree = DeviceTree(root: system.root)
    let path = try tree.path(of: description.path, system.open)
    let device = try asCaptureError("opening it") { () throws(SystemError) in try system.open(path) }
    let stream = try VideoStream(device, wanted: description.format)
    var result = SourceStream(codec: stream.agreement.encoding.codec)
    if stream.agreement.encoding.rawLayout != nil {
      encoder = encoder ?? makeEncoder()
      if encoder == nil { throw CaptureError(.unusable, "raw pictures cannot be encoded here") }
    }
    try asCaptureError("starting it") { () throws(SystemError) in
      converter = stream.agreement.source == nil ? nil : try VideoConverter(device, stream.agreement)
      result.warnings = try device.set(description.controls)
      try stream.start()
    }
    result.remarks = [path == description.path ? stream.agreement.remark : "\(path): \(stream.agreement.remark)"]
    result.warnings += stream.agreement.differences(from: description.format)
    if let warning = noteMove(tree.port(ofNode: path)) { result.warnings.append(warning) }
    (self.stream, lastSequence) = (stream, nil)
    return result
  }

  /// A name may lead to another camera of the same name when the one it was is unplugged: what has moved is said.
  private func noteMove(_ port: String?) -> String? {
    defer { lastPort = port ?? lastPort }
    guard let port, let lastPort, port != lastPort, !description.path.contains("/by-path/") else { return nil }
    return
      "the camera is at USB port \(port) and was at \(lastPort): if it was not replugged, this is another one of the "
      + "same name; /dev/v4l/by-path/… tells them apart"
  }

  func read() throws(CaptureError) -> SourcePacket {
    guard let stream else { throw CaptureError(.disconnected, "not open") }
    while !interrupt.isDue {
      // A tenth of a second is how long an order to stop may take.
      let next = try asCaptureError("reading") { () throws(SystemError) -> SourcePacket? in
        try stream.next(within: 100) { packet(from: $0, stream.agreement) } ?? nil
      }
      if let next { return next }
    }
    throw interrupt.isStopped
      ? CaptureError(.stopped, "stopped") : CaptureError(.silent, "no answer in time while reading")
  }

  func close() { (converter, stream) = (nil, nil) }

  /// Copies what must outlive the buffer; nil for what is not used. Both fields of a picture have the same number
  /// (struct v4l2_buffer, sequence).
  private func packet(from buffer: VideoBuffer, _ agreement: VideoAgreement) -> SourcePacket? {
    if agreement.fields == .alternating, buffer.isBottomField { return nil }
    let (now, clock) = (MonotonicTime.now(), ClockReading.now())
    let age = buffer.time.map { (now - $0).nanoseconds }.flatMap { VideoSource.ages.contains($0) ? $0 : nil } ?? 0
    var packet = SourcePacket(
      payload: Payload([]), pts: now.nanoseconds - age, dts: nil,
      arrival: ClockReading(wall: clock.wall - age, boot: clock.boot - age))
    if let lastSequence {
      // A counter that stands still or goes back was reset, which nobody can count with.
      let step = buffer.sequence &- lastSequence
      packet.missingCount = step > 1 && step < 1 << 31 ? UInt64(step - 1) : 0
    }
    lastSequence = buffer.sequence
    packet.isDamaged = buffer.isDamaged || buffer.bytes.isEmpty
    if packet.isDamaged { return packet }
    if let layout = agreement.encoding.rawLayout {
      let encode = { [encoder] (bytes: UnsafeRawBufferPointer) -> Payload? in
        let picture = RawPicture(
          layout: layout, width: agreement.width, height: agreement.height, bytesPerRow: agreement.bytesPerRow,
          isFullRange: agreement.isFullRange, bytes: bytes)
        return picture.flatMap { encoder?.jpeg(of: $0) }
      }
      let jpeg = converter.map { $0.withRGB(of: buffer.bytes, encode) ?? nil } ?? encode(buffer.bytes)
      if let jpeg { packet.payload = jpeg } else { packet.isDamaged = true }
    } else if agreement.encoding == .mjpeg {
      packet.payload = JPEGTables.complete(buffer.bytes)
    } else {
      packet.payload = Payload(joining: [buffer.bytes])
    }
    return packet
  }
}

extension DeviceEncoding {
  /// What becomes of it.
  var codec: Codec {
    switch self {
    case .h264: .h264
    case .h265: .h265
    default: .mjpeg
    }
  }
}

extension SystemError {
  /// Whether the device is no longer there.
  var isUnplugged: Bool { [ENODEV, ENXIO, ENOENT, ESHUTDOWN].contains(code) }
}

extension CaptureError {
  /// The error for a system call on a video device.
  init(video error: SystemError, while action: String) {
    switch error.code {
    case ENODEV, ENXIO, ESHUTDOWN:
      self.init(.disconnected, "the camera is gone (unplugged?)")
    case ENOENT:
      self.init(.unreachable, "there is no such device; is the camera plugged in? (camgate devices lists them)")
    case EACCES, EPERM:
      self.init(.unusable, "no permission for the device: the user must be in the group 'video'")
    case EBUSY:
      self.init(.unusable, "another program uses the camera")
    case ENOTTY:
      self.init(.unusable, "this is no video device (camgate devices lists them)")
    case ENOSPC:
      self.init(
        .unusable,
        "no USB bandwidth left for this camera: lower its size or rate (format), or those of the others on its bus, take "
          + "mjpeg or h264 instead of raw pictures, or plug it into another USB controller (lsusb -t)")
    case EIO, EPROTO:
      self.init(.disconnected, "the camera failed while \(action) (\(describe(errno: error.code)))")
    default:
      self.init(.unusable, "failed while \(action) (\(error))")
    }
  }
}

/// Runs `body`; what a system call says becomes an error of the camera.
func asCaptureError<Result>(
  _ action: String, _ body: () throws(SystemError) -> Result
) throws(CaptureError) -> Result {
  do throws(SystemError) { return try body() } catch { throw CaptureError(video: error, while: action) }
}
