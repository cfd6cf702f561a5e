import CV4L2
import Frames
import Glibc
import Posix
import Testing

@testable import Capture

@Suite struct VideoSourceTests {
  let device = ScriptedDevice()
  let interrupt = Interrupt()

  /// Counts the pictures it is given; the JPEG is the one of a test.
  final class CountingEncoder: PictureEncoder {
    var pictures: [(RawPicture.Layout, Int, Int, Bool)] = []
    var last: [UInt8] = []

    func jpeg(of picture: RawPicture) -> Payload? {
      last = Array(picture.bytes)
      pictures.append((picture.layout, picture.width, picture.bytesPerRow, picture.isFullRange))
      return try? Payload(Clips.jpegs()[0])
    }
  }

  func source(
    _ format: String = "", _ controls: [(String, String)] = [], path: String = "/dev/video0",
    encoder: (any PictureEncoder)? = nil, interrupt: Interrupt? = nil
  ) -> VideoSource {
    let device = device
    let description = CameraDescription.Device(
      path: path, format: DeviceFormat(format) ?? DeviceFormat(),
      controls: controls.map { CameraDescription.Control(name: $0, value: $1) })
    // Unsafe because the closure is called on the test's own thread only.
    nonisolated(unsafe) let encoder = encoder
    return VideoSource(
      description, system: VideoSystem(open: { (_) throws(SystemError) in device }),
      interrupt: interrupt ?? self.interrupt, encoder: { encoder })
  }

  @Test func mjpegComesAsItIs() throws {
    let jpegs = try Clips.jpegs()
    let source = source("mjpeg 1280x720@15")
    let stream = try source.open()
    #expect(stream.codec == .mjpeg)
    #expect(stream.remarks == ["mjpeg 1280x720@15"])
    #expect(stream.warnings.isEmpty)
    #expect(device.settings == ["MJPG 1280x720", "@15"])
    device.play(.frame(jpegs[0] + [0, 0, 0]), .frame(jpegs[1]))
    let before = WallClock.nanosecondsSince1970()
    let packets = [try source.read(), try source.read()]
    #expect(packets[0].payload.array.starts(with: jpegs[0]))
    #expect(packets[1].payload.array == jpegs[1])
    #expect(packets.allSatisfy { !$0.isDamaged && $0.missingCount == 0 })
    // The driver's time of the frame, 20 ms before it was fetched.
    #expect(packets.allSatisfy { $0.arrival.wall < WallClock.nanosecondsSince1970() - 15_000_000 })
    #expect(packets.allSatisfy { $0.arrival.wall > before - 60_000_000_000 })
    #expect(try #require(packets[0].pts) <= #require(packets[1].pts))
  }

  /// More frames than buffers: each buffer goes back to the driver, and what was read does not change with it.
  @Test func buffersAreCopiedAndGivenBack() throws {
    let jpegs = try Clips.jpegs()
    var payloads: [Payload] = []
    do {
      let source = source("mjpeg")
      _ = try source.open()
      for jpeg in jpegs {
        device.play(.frame(jpeg))
        payloads.append(try source.read().payload)
      }
      #expect(device.mapped == 3, "as many as the driver gave, not as were asked for")
      source.close()
    }
    #expect(device.mapped == 0 && device.isClosed && !device.isStreaming)
    #expect(payloads.map(\.array) == jpegs)
  }

  @Test func whatTheDriverLeftOutIsCounted() throws {
    let jpeg = try Clips.jpegs()[0]
    let source = source("mjpeg")
    _ = try source.open()
    device.play(
      .frame(jpeg, skipped: 7), .frame(jpeg, skipped: 3), .frame([], skipped: 0), .frame(jpeg, isDamaged: true),
      .frame(jpeg), .frame(jpeg, skipped: .max - 2))
    var normalizer = Normalizer(stream: SourceStream(codec: .mjpeg), gap: nil)
    var gaps: [Gap?] = []
    for _ in 0..<6 {
      if case .frame(let picture) = normalizer.take(try source.read()) { gaps.append(picture.gap) }
    }
    // What was before the first frame nobody misses, and a counter that goes back has lost nothing.
    #expect(gaps == [nil, Gap(frameCount: 3, reason: .camera), Gap(frameCount: 2, reason: .damaged), nil])
  }

  /// Fields by themselves are half pictures, and two of them one below the other are none.
  @Test func fieldsAreNoPictures() throws {
    let jpeg = try Clips.jpegs()[0]
    let alternating = source("mjpeg")
    device.field = V4L2_FIELD_ALTERNATE
    let stream = try alternating.open()
    #expect(device.wantedField == V4L2_FIELD_NONE.rawValue)
    #expect(stream.warnings.count { $0.contains("fields") } == 1)
    device.play(.frame(jpeg), .frame([1]), .frame(jpeg), .frame([2]), .frame(jpeg))
    let packets = try (0..<3).map { _ in try alternating.read() }
    #expect(packets.allSatisfy { $0.payload.array == jpeg && $0.missingCount == 0 })
    alternating.close()
    for field in [V4L2_FIELD_SEQ_TB, V4L2_FIELD_SEQ_BT] {
      device.field = field
      let error = captureError { _ = try source("mjpeg").open() }
      #expect(error?.code == .unusable && error?.message.contains("fields") == true, "\(field)")
    }
    device.field = V4L2_FIELD_INTERLACED
    let interlaced = source("mjpeg")
    #expect(try interlaced.open().warnings.count { $0.contains("fields") } == 1, "a picture, with combs")
  }

  @Test func aLostFrameOfAnEncodedStreamCostsThePicturesUpToTheNextKeyframe() throws {
    device.formats = [("H264", nil)]
    let units = try Clips.accessUnits("late.h264")
    let source = source()
    #expect(try source.open().codec == .h264)
    #expect(device.settings == ["H264 1000x500"], "a size the device has")
    device.play(
      .frame(units[0]), .frame(units[1]), .frame(units[3], skipped: 1), .frame(units[4]), .frame(units[150]))
    let packets = try (0..<5).map { _ in try source.read() }
    #expect(packets.map { isKeyframe($0, .h264) } == [true, false, false, false, true])
    var normalizer = Normalizer(stream: SourceStream(codec: .h264), gap: nil)
    let gaps = packets.map { packet -> Gap?? in
      if case .frame(let picture) = normalizer.take(packet) { .some(picture.gap) } else { nil }
    }
    #expect(gaps == [.some(nil), .some(nil), nil, nil, .some(Gap(frameCount: 3, reason: .camera))])
  }

  @Test(arguments: [
    ("yuyv 640x480", V4L2_QUANTIZATION_DEFAULT, UInt32(0), 1_280, false),
    ("yuyv 640x480", V4L2_QUANTIZATION_FULL_RANGE, 1_344, 1_344, true),
    ("", V4L2_QUANTIZATION_LIM_RANGE, 0, 1_280, false),
  ])
  func rawPicturesAreEncoded(
    _ format: String, _ quantization: v4l2_quantization, _ row: UInt32, _ expectedRow: Int, _ isFullRange: Bool
  ) throws {
    device.formats = [("BA81", nil), ("YUYV", [(320, 240), (640, 480), (1_280, 720)])]
    (device.quantization, device.bytesPerRow) = (quantization, row)
    let encoder = CountingEncoder()
    let source = source(format, encoder: encoder)
    #expect(try source.open().remarks == ["yuyv 640x480@30"])
    let picture = [UInt8](repeating: 100, count: expectedRow * 480)
    device.play(.frame(picture), .frame(Array(picture.dropLast())), .frame(picture))
    #expect(try source.read().payload.array == Clips.jpegs()[0])
    #expect(try source.read().isDamaged, "a picture that is not whole")
    #expect(try !source.read().isDamaged)
    #expect(encoder.pictures.count == 2)
    #expect(encoder.pictures.allSatisfy { $0 == (.yuyv, 640, expectedRow, isFullRange) })
  }

  @Test func rawPicturesNeedAnEncoder() throws {
    let error = captureError { _ = try source("yuyv").open() }
    #expect(error?.code == .unusable)
    #expect(device.isClosed)
  }

  @Test func theDriverHasTheLastWordAndItIsSaid() throws {
    device.insistsOn = ("MJPG", 1_024, 768)
    device.rates = [10]
    let stream = try source("mjpeg 1280x720@15").open()
    #expect(stream.warnings == ["asked for mjpeg 1280x720@15, the driver gives mjpeg 1024x768@10"])
    device.insistsOn = nil
    #expect(try source("nv12 640x480").open().warnings == ["asked for nv12 640x480, the driver gives mjpeg 640x480@10"])
  }

  @Test(arguments: [
    ([("YUYV", [(640, 480)]), ("MJPG", [(1_920, 1_080), (640, 360)])], "MJPG 640x360"),
    ([("MJPG", [(1_920, 1_080), (2_560, 1_440)])], "MJPG 1920x1080"),
    ([("JPEG", [(1_280, 720)]), ("H264", [(1_920, 1_080)])], "JPEG 1280x720"),
  ])
  func withoutAFormatAUsualOneIsTaken(_ formats: [(String, [(Int, Int)]?)], _ expected: String) throws {
    device.formats = formats.map { ($0.0, $0.1) }
    _ = try source().open()
    #expect(device.settings == [expected])
  }

  @Test func aDeviceThatIsNoCameraIsNamed() throws {
    device.formats = [("O511", nil)]
    #expect(captureError { _ = try source().open() }?.message.contains("O511") == true)
    device.flags = V4L2_CAP_META_CAPTURE | V4L2_CAP_STREAMING
    #expect(captureError { _ = try source().open() }?.message.contains("gives no pictures") == true)
    #expect(device.isClosed && device.mapped == 0)
  }

  @Test(arguments: [
    (camgate_vidioc_streamon, ENOSPC, CaptureError.Code.unusable, "USB bandwidth"),
    (camgate_vidioc_s_fmt, EBUSY, .unusable, "another program"),
    (camgate_vidioc_reqbufs, ENODEV, .disconnected, "unplugged"),
    (camgate_vidioc_querybuf, EINVAL, .unusable, "starting"),
    (camgate_vidioc_g_parm, ENODEV, .disconnected, "unplugged"),
  ])
  func whatTheKernelRefusesIsSaid(_ request: UInt, _ code: Int32, _ expected: CaptureError.Code, _ text: String) {
    device.failures[request] = code
    let error = captureError { _ = try source("mjpeg").open() }
    #expect(error?.code == expected)
    #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
    #expect(device.isClosed && device.mapped == 0)
  }

  @Test(arguments: [
    (ScriptedDevice.Event.failure(ENODEV), "unplugged"), (.pollError, "unplugged"), (.failure(EIO), "failed"),
  ])
  func anUnpluggedCameraIsADisconnect(_ event: ScriptedDevice.Event, _ text: String) throws {
    let source = source("mjpeg")
    _ = try source.open()
    device.play(event)
    let error = captureError { _ = try source.read() }
    #expect(error?.code == .disconnected)
    #expect(error?.message.contains(text) == true)
    source.close()
    #expect(device.isClosed && device.mapped == 0)
  }

  /// EAGAIN behind a ready poll is nothing; the deadline and an order to stop are obeyed.
  @Test func waitingEnds() throws {
    let source = source("mjpeg")
    _ = try source.open()
    interrupt.setDeadline(.now() + .milliseconds(50))
    #expect(captureError { _ = try source.read() }?.code == .silent)
    interrupt.setDeadline(.now() + .seconds(3_600))
    let interrupt = interrupt
    let stopper = Thread.start(name: "stop") { interrupt.stop() }
    #expect(captureError { _ = try source.read() }?.code == .stopped)
    stopper.join()
  }

  @Test func timesThatCannotBeAreNotBelieved() throws {
    let jpeg = try Clips.jpegs()[0]
    let source = source("mjpeg")
    _ = try source.open()
    for age in [nil, Duration.seconds(-3_600), .seconds(3_600)] {
      device.play(.frame(jpeg, age: age))
      let (start, before) = (MonotonicTime.now(), WallClock.nanosecondsSince1970())
      let packet = try source.read()
      #expect(packet.arrival.wall >= before)
      #expect(try #require(packet.pts) >= start.nanoseconds)
    }
  }

  private static let menu = ScriptedDevice.Control(
    id: 3, type: V4L2_CTRL_TYPE_MENU, name: "Auto Exposure", range: 0...3, value: 3,
    entries: [1: "Manual Mode", 3: "Aperture Priority Mode"])

  @Test func controlsAreSetInOrderByTheirNames() throws {
    device.controls = [
      Self.menu, .init(id: 9, type: V4L2_CTRL_TYPE_INTEGER, name: "Exposure Time, Absolute", range: 0...500, value: 4),
      .init(id: 12, type: V4L2_CTRL_TYPE_BOOLEAN, name: "Focus, Auto", range: 0...1, value: 1),
      .init(
        id: 13, type: V4L2_CTRL_TYPE_INTEGER, name: "Gain", range: 0...9, value: 1, flags: V4L2_CTRL_FLAG_READ_ONLY),
    ]
    let stream = try source(
      "mjpeg",
      [
        ("focus_auto", "false"), ("auto_exposure", "1"), ("exposure_time_absolute", "121"), ("exposure", "1"),
        ("auto_exposure", "aperture_priority_mode"), ("exposure_time_absolute", "501"), ("gain", "2"),
      ]
    ).open()
    // The scripted driver takes even numbers only.
    #expect(
      device.settings.dropFirst() == [
        "Focus, Auto=0", "Auto Exposure=0", "Exposure Time, Absolute=120", "Auto Exposure=2",
      ])
    #expect(stream.warnings.count == 6)
    for text in [
      "asked for 121, the driver takes 120", "no control 'exposure'; it has: auto_exposure, exposure_time_absolute,",
      "cannot be '501': it takes 0 to 500", "control gain cannot be set to 2: Permission denied",
    ] { #expect(stream.warnings.contains { $0.contains(text) }, "\(stream.warnings)") }
  }

  /// A driver whose lists have no end must not keep the camera.
  @Test func listsAreBounded() {
    final class Endless: VideoDevice {
      let descriptor: Int32 = -1
      var count = 0
      func request(_ code: UInt, _ argument: UnsafeMutableRawPointer) throws(SystemError) { count += 1 }
      func wait(milliseconds: Int32) throws(SystemError) -> VideoReadiness { .nothing }
      func map(offset: UInt32, byteCount: Int) throws(SystemError) -> UnsafeMutableRawBufferPointer {
        throw SystemError(code: EINVAL, operation: "map")
      }
      func unmap(_ memory: UnsafeMutableRawBufferPointer) {}
      func close() {}
    }
    let device = Endless()
    let format = VideoFormat(fourCC: 0, name: "")
    #expect(device.formats(camgate_capture_type).count <= 64)
    _ = (device.controls(), device.sizes(of: format), device.rates(of: format, .init(width: 1, height: 1)))
    #expect(device.count < 1_000)
  }
}
