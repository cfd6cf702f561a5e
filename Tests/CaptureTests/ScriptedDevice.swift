import CV4L2
import Frames
import Glibc
import Posix
import Synchronization

@testable import Capture

/// A V4L2 driver in memory: answers the ioctls as the kernel does and plays the frames it is given.
// Unchecked because the tests change it only while no camera runs, or through `events`, which is locked.
final class ScriptedDevice: VideoDevice, @unchecked Sendable {
  /// What the driver does next.
  enum Event {
    /// A frame; `skipped` before it found no buffer.
    case frame([UInt8], isDamaged: Bool = false, skipped: UInt32 = 0, age: Duration? = .milliseconds(20))
    /// DQBUF fails.
    case failure(Int32)
    /// poll says POLLERR, DQBUF that there is nothing.
    case pollError
  }

  struct Control {
    var id: UInt32
    var type: v4l2_ctrl_type
    var name: String
    var range: ClosedRange<Int32>
    var value: Int32
    var entries: [UInt32: String] = [:]
    var flags: Int32 = 0
  }

  let descriptor: Int32 = -1
  let events = Monitor<[Event]>([])
  var card = "Test Camera"
  var flags = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING
  /// Format, sizes; nil: any size, in steps.
  var formats: [(code: String, sizes: [(Int, Int)]?)] = [
    ("YUYV", [(640, 480), (1280, 720)]), ("MJPG", [(640, 480), (1280, 720), (1920, 1080)]),
  ]
  var rates: [UInt32] = [30, 15]
  /// How many pieces of memory a picture is in, on the multi-planar interface.
  var planeCount = 1
  /// Where the picture begins in each piece there.
  var dataOffset = 0
  /// What S_FMT gives instead of what is asked for.
  var insistsOn: (code: String, width: UInt32, height: UInt32)?
  var quantization = V4L2_QUANTIZATION_DEFAULT
  /// How the driver's pictures consist of fields, whatever is asked for, and what was asked for.
  var field = V4L2_FIELD_NONE
  private(set) var wantedField: UInt32?
  var bytesPerRow: UInt32 = 0
  var chromaBytesPerRow: (UInt32, UInt32) = (0, 0)
  var controls: [Control] = []
  var failures: [UInt: Int32] = [:]
  /// What `mmap` gave and nobody has unmapped; `isClosed` is set by `close`.
  private(set) var mapped = 0
  private(set) var isClosed = false
  private(set) var isStreaming = false
  private(set) var settings: [String] = []
  /// All pieces of all buffers, those of one buffer one after another.
  private var memory: [UnsafeMutableRawBufferPointer] = []
  private var queued: [UInt32] = []
  private var fps: UInt32 = 30
  private var sequence: UInt32 = 0
  private var isBottomField = false

  func play(_ new: Event...) { events.withLock { $0 += new } }

  func wait(milliseconds: Int32) throws(SystemError) -> VideoReadiness {
    events.wait(until: .now() + .milliseconds(Int(milliseconds))) { events -> VideoReadiness? in
      switch events.first {
      case nil: nil
      case .pollError, .failure: .failed
      case .frame: .frame
      }
    } ?? .nothing
  }

  func map(offset: UInt32, byteCount: Int) throws(SystemError) -> UnsafeMutableRawBufferPointer {
    mapped += 1
    return memory[Int(offset)]
  }

  func unmap(_ memory: UnsafeMutableRawBufferPointer) {
    mapped -= 1
    // Whoever looks at it later sees that it is gone.
    memory.initializeMemory(as: UInt8.self, repeating: 0xdd)
  }

  func close() { isClosed = true }

  deinit { for buffer in memory { buffer.deallocate() } }

  func request(_ code: UInt, _ argument: UnsafeMutableRawPointer) throws(SystemError) {
    if let failure = failures[code] { throw SystemError(code: failure, operation: "scripted") }
    let result: Int32
    switch code {
    case camgate_vidioc_querycap: result = fill(argument) { capability(&$0) }
    case camgate_vidioc_enum_fmt: result = fill(argument) { format(&$0) }
    case camgate_vidioc_enum_framesizes: result = fill(argument) { size(&$0) }
    case camgate_vidioc_enum_frameintervals: result = fill(argument) { interval(&$0) }
    case camgate_vidioc_s_fmt: result = fill(argument) { setFormat(&$0) }
    case camgate_vidioc_g_parm: result = fill(argument) { parameters(&$0, sets: false) }
    case camgate_vidioc_s_parm: result = fill(argument) { parameters(&$0, sets: true) }
    case camgate_vidioc_reqbufs: result = fill(argument) { requestBuffers(&$0) }
    case camgate_vidioc_querybuf: result = fill(argument) { queryBuffer(&$0) }
    case camgate_vidioc_qbuf: result = fill(argument) { enqueue(&$0) }
    case camgate_vidioc_dqbuf: result = fill(argument) { dequeue(&$0) }
    case camgate_vidioc_streamon, camgate_vidioc_streamoff:
      isStreaming = code == camgate_vidioc_streamon
      if !isStreaming { queued = [] }
      result = 0
    case camgate_vidioc_queryctrl: result = fill(argument) { queryControl(&$0) }
    case camgate_vidioc_querymenu: result = fill(argument) { queryMenu(&$0) }
    case camgate_vidioc_g_ctrl: result = fill(argument) { control(&$0, sets: false) }
    case camgate_vidioc_s_ctrl: result = fill(argument) { control(&$0, sets: true) }
    default: result = ENOTTY
    }
    if result != 0 { throw SystemError(code: result, operation: "scripted") }
  }

  private func fill<Value>(_ argument: UnsafeMutableRawPointer, _ body: (inout Value) -> Int32) -> Int32 {
    body(&argument.assumingMemoryBound(to: Value.self).pointee)
  }

  private var isMultiplanar: Bool { flags & V4L2_CAP_VIDEO_CAPTURE_MPLANE != 0 }
  private var type: UInt32 { isMultiplanar ? camgate_multiplanar_type : camgate_capture_type }

  private func capability(_ answer: inout v4l2_capability) -> Int32 {
    put(card, into: &answer.card)
    put("scripted", into: &answer.driver)
    // Those of the whole device, which say nothing of this node.
    answer.capabilities = UInt32(V4L2_CAP_DEVICE_CAPS) | UInt32(V4L2_CAP_VIDEO_CAPTURE)
    answer.device_caps = UInt32(bitPattern: flags)
    return 0
  }

  private func format(_ answer: inout v4l2_fmtdesc) -> Int32 {
    guard answer.type == type, Int(answer.index) < formats.count else { return EINVAL }
    answer.pixelformat = DeviceEncoding.fourCC(formats[Int(answer.index)].code)
    put("Format \(answer.index)", into: &answer.description)
    return 0
  }

  private func size(_ answer: inout v4l2_frmsizeenum) -> Int32 {
    guard let format = formats.first(where: { DeviceEncoding.fourCC($0.code) == answer.pixel_format }) else {
      return EINVAL
    }
    guard let sizes = format.sizes else {
      answer.type = UInt32(V4L2_FRMSIZE_TYPE_STEPWISE.rawValue)
      answer.stepwise = v4l2_frmsize_stepwise(
        min_width: 320, max_width: 1_000, step_width: 2, min_height: 180, max_height: 500, step_height: 2)
      return answer.index == 0 ? 0 : EINVAL
    }
    guard Int(answer.index) < sizes.count else { return EINVAL }
    answer.type = camgate_size_discrete
    answer.discrete.width = UInt32(sizes[Int(answer.index)].0)
    answer.discrete.height = UInt32(sizes[Int(answer.index)].1)
    return 0
  }

  private func interval(_ answer: inout v4l2_frmivalenum) -> Int32 {
    guard Int(answer.index) < rates.count else { return EINVAL }
    answer.type = camgate_interval_discrete
    answer.discrete = v4l2_fract(numerator: 1, denominator: rates[Int(answer.index)])
    return 0
  }

  private func setFormat(_ format: inout v4l2_format) -> Int32 {
    if format.type != type { return EINVAL }
    var picture = camgate_picture_of(&format)
    settings.append("\(VideoFormat.code(picture.fourcc)) \(picture.width)x\(picture.height)")
    if let insistsOn {
      picture.fourcc = DeviceEncoding.fourCC(insistsOn.code)
      (picture.width, picture.height) = (insistsOn.width, insistsOn.height)
    }
    (wantedField, picture.field) = (picture.field, field.rawValue)
    picture.quantization = UInt32(quantization.rawValue)
    picture.bytes_per_row.0 = bytesPerRow
    (picture.bytes_per_row.1, picture.bytes_per_row.2) = chromaBytesPerRow
    picture.plane_count = UInt32(planeCount)
    format = camgate_format(type, picture)
    let byteCount = Int(picture.width * picture.height * 4)
    memory = (0..<3 * planeCount).map { _ in
      UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
    }
    return 0
  }

  private func parameters(_ answer: inout v4l2_streamparm, sets: Bool) -> Int32 {
    if sets {
      let wanted = answer.parm.capture.timeperframe.denominator
      settings.append("@\(wanted)")
      fps = rates.min { abs(Int($0) - Int(wanted)) < abs(Int($1) - Int(wanted)) } ?? 30
    }
    answer.parm.capture.capability = UInt32(V4L2_CAP_TIMEPERFRAME)
    answer.parm.capture.timeperframe = v4l2_fract(numerator: 1, denominator: fps)
    return 0
  }

  /// Fewer buffers than were asked for, as a driver may.
  private func requestBuffers(_ answer: inout v4l2_requestbuffers) -> Int32 {
    if answer.type != type { return EINVAL }
    answer.count = min(answer.count, 3)
    return 0
  }

  private func queryBuffer(_ buffer: inout v4l2_buffer) -> Int32 {
    let first = Int(buffer.index) * planeCount
    guard isMultiplanar else {
      (buffer.m.offset, buffer.length) = (UInt32(first), UInt32(memory[first].count))
      return 0
    }
    guard isGood(buffer) else { return EINVAL }
    for plane in 0..<planeCount {
      buffer.m.planes[plane].m.mem_offset = UInt32(first + plane)
      buffer.m.planes[plane].length = UInt32(memory[first + plane].count)
    }
    return 0
  }

  /// The kernel wants room for all planes (videobuf2-v4l2.c, __verify_planes_array).
  private func isGood(_ buffer: v4l2_buffer) -> Bool {
    buffer.type == type && (!isMultiplanar || (buffer.m.planes != nil && Int(buffer.length) >= planeCount))
  }

  private func enqueue(_ buffer: inout v4l2_buffer) -> Int32 {
    if queued.contains(buffer.index) || !isGood(buffer) { return EINVAL }
    queued.append(buffer.index)
    return 0
  }

  private func dequeue(_ buffer: inout v4l2_buffer) -> Int32 {
    guard isStreaming, !queued.isEmpty, isGood(buffer) else { return EINVAL }
    let event = events.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    switch event {
    case nil, .pollError?: return EAGAIN
    case .failure(let code)?: return code
    case .frame(let bytes, let isDamaged, let skipped, let age)?:
      buffer.index = queued.removeFirst()
      fill(&buffer, with: bytes)
      sequence &+= skipped
      buffer.sequence = sequence
      buffer.field = field.rawValue
      if field == V4L2_FIELD_ALTERNATE {
        // Both fields of a frame have its number.
        buffer.field = (isBottomField ? V4L2_FIELD_BOTTOM : V4L2_FIELD_TOP).rawValue
        isBottomField.toggle()
      }
      if !isBottomField { sequence &+= 1 }
      buffer.flags = isDamaged ? UInt32(V4L2_BUF_FLAG_ERROR) : 0
      if let age {
        buffer.flags |= UInt32(V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC)
        let time = (MonotonicTime.now() + (.zero - age)).nanoseconds
        buffer.timestamp = timeval(tv_sec: Int(time / 1_000_000_000), tv_usec: Int(time % 1_000_000_000) / 1_000)
      }
      return 0
    }
  }

  /// Shares `bytes` out among the planes as those of 4:2:0 are: two thirds to the first, the same to each of the others.
  private func fill(_ buffer: inout v4l2_buffer, with bytes: [UInt8]) {
    let first = Int(buffer.index) * planeCount
    guard isMultiplanar else {
      memory[first].copyBytes(from: bytes)
      buffer.bytesused = UInt32(bytes.count)
      return
    }
    var rest = bytes[...]
    for plane in 0..<planeCount {
      let count = plane == planeCount - 1 ? rest.count : plane == 0 ? bytes.count * 2 / 3 : rest.count / 2
      let part = [UInt8](repeating: 0xee, count: dataOffset) + rest.prefix(count)
      memory[first + plane].copyBytes(from: part)
      buffer.m.planes[plane].bytesused = UInt32(part.count)
      buffer.m.planes[plane].data_offset = UInt32(dataOffset)
      rest = rest.dropFirst(count)
    }
  }

  private func queryControl(_ answer: inout v4l2_queryctrl) -> Int32 {
    let last = answer.id & ~UInt32(V4L2_CTRL_FLAG_NEXT_CTRL)
    guard let control = controls.filter({ $0.id > last }).min(by: { $0.id < $1.id }) else { return EINVAL }
    (answer.id, answer.type, answer.flags) = (control.id, UInt32(control.type.rawValue), UInt32(control.flags))
    (answer.minimum, answer.maximum) = (control.range.lowerBound, control.range.upperBound)
    put(control.name, into: &answer.name)
    return 0
  }

  private func queryMenu(_ answer: inout camgate_querymenu) -> Int32 {
    guard let entry = controls.first(where: { $0.id == answer.id })?.entries[answer.index] else { return EINVAL }
    put(entry, into: &answer.name)
    return 0
  }

  private func control(_ answer: inout v4l2_control, sets: Bool) -> Int32 {
    guard let index = controls.firstIndex(where: { $0.id == answer.id }) else { return EINVAL }
    if sets {
      if controls[index].flags & V4L2_CTRL_FLAG_READ_ONLY != 0 { return EACCES }
      let range = controls[index].range
      answer.value = min(max(answer.value, range.lowerBound), range.upperBound) / 2 * 2
      controls[index].value = answer.value
      settings.append("\(controls[index].name)=\(answer.value)")
    }
    answer.value = controls[index].value
    return 0
  }

  private func put<Tuple>(_ text: String, into tuple: inout Tuple) {
    withUnsafeMutableBytes(of: &tuple) { $0.copyBytes(from: text.utf8.prefix($0.count - 1)) }
  }
}
