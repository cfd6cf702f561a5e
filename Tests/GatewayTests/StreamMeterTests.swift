import Capture
import Frames
import Posix
import Testing

@testable import Gateway

@Suite struct StreamMeterTests {
  /// Frames of `fps`, a keyframe every `gop`, stamped as `claimed` a second.
  private func meter(
    _ codec: Codec = .h264, count: Int, fps: Int = 25, claimed: Int? = nil, gop: Int = 25, size: Int = 1_000,
    clock: ClockQuality = .camera, gapAt: Int? = nil
  ) -> StreamMeter {
    var meter = StreamMeter()
    for number in 0..<count {
      let arrival = Int64(number) * 1_000_000_000 / Int64(fps)
      let isKeyframe = number % gop == 0
      meter.add(
        Frame(
          codec: codec, payload: Payload([UInt8](repeating: 0, count: isKeyframe ? 3 * size : size)),
          isKeyframe: isKeyframe, captureTime: arrival + 5_000_000, clock: clock,
          pts: Int64(number) * 1_000_000_000 / Int64(claimed ?? fps), width: 640, height: 480,
          gap: number == gapAt || number == 0 ? Gap(frameCount: nil, reason: .network) : nil),
        arrival: MonotonicTime(nanoseconds: arrival), wallClock: arrival + 12_000_000)
    }
    return meter
  }

  private func report(
    _ meter: StreamMeter, _ transport: CameraDescription.RTSPTransport = .tcp, failure: CaptureError? = nil
  ) throws -> ProbeReport {
    let login = CameraDescription.Login(username: "viewer", password: "hunter2")
    let source = CameraDescription.Source.rtsp(url: "rtsp://10.0.0.1/1", login: login, transport: transport)
    return ProbeReport(
      description: CameraDescription(name: try #require(CameraName("probe")), source: source), meter: meter,
      firstFrameAfter: .milliseconds(340), failure: failure, usedTransport: nil, warnings: [],
      ignoredTracks: ["audio (aac)"])
  }

  @Test func figures() throws {
    let meter = meter(count: 101)
    #expect(meter.seconds == 4)
    #expect(meter.fps == 25)
    #expect(try abs(#require(meter.mediaFps) - 25) < 1e-6)
    // Four seconds with a keyframe each: the first frame lies in front of them.
    #expect(meter.bitrate == Double((96 + 4 * 3) * 1_000 * 8) / 4)
    #expect(try #require(meter.keyframeInterval) == (25, 1.0))
    #expect(meter.largestFrame == 3_000)
    #expect(meter.clockOffset == -7_000_000)
    #expect(meter.gaps.isEmpty, "before the first frame nothing was lost")
    #expect(!meter.hasReordering && meter.sizeCount == 1)
  }

  @Test func fewFramesHaveNoFigures() {
    for meter in [StreamMeter(), meter(count: 1)] {
      #expect(meter.fps == nil && meter.mediaFps == nil && meter.bitrate == nil && meter.keyframeInterval == nil)
    }
  }

  @Test func aGoodCameraHasNoHints() throws {
    let report = try report(meter(count: 251))
    #expect(report.works && report.hints.isEmpty)
    for text in [
      "h264 640x480", "251 frames in 10.0 s", "25.0 a second", "0.2 Mbit/s", "every 25 frames (1.0 s)",
      "camera (-7.0 ms",
      "viewer", "tcp", "audio (aac)", "after 0.3 s", "password_file: gate.password",
    ] { #expect(report.text.contains(text), "\(report.text)") }
    for text in [report.text, report.json.text] { #expect(!text.contains("hunter2")) }
  }

  @Test func whatIsNotGoodHasARemedy() throws {
    let cases: [(StreamMeter, String)] = [
      (meter(count: 251, gapAt: 9), "transport tcp"), (meter(count: 301, gop: 1_000), "I-frame"),
      (meter(count: 301, gop: 280), "I-frame"), (meter(count: 51, size: 500_000), "message_max_bytes to 3MiB"),
      (meter(count: 51, clock: .unsynced), "timedatectl"), (meter(count: 51, clock: .gateway), "NTP on the camera"),
      (meter(count: 251, fps: 21, claimed: 25), "stamps 25.0 frames a second and sends 21.0"),
    ]
    for (meter, text) in cases {
      let report = try report(meter, .udp)
      #expect(report.works)
      #expect(report.hints.count == 1 && report.hints[0].contains(text), "\(report.hints)")
      #expect(report.text.contains(report.hints[0]))
    }
    #expect(try report(meter(.mjpeg, count: 301, gop: 1_000)).hints.isEmpty, "every JPEG is a keyframe")
  }

  @Test func whatFailsSaysWhy() throws {
    let refused = CaptureError(.unauthorized, "the camera refuses the login (401 Unauthorized)")
    let atOnce = try report(StreamMeter(), failure: refused)
    #expect(!atOnce.works && atOnce.text.contains("does not work: the camera refuses"))
    #expect(atOnce.json.text.contains(#""works":false"#) && atOnce.json.text.contains(#""errorCode":"unauthorized""#))
    let later = try report(meter(count: 101), failure: CaptureError(.disconnected, "the connection broke"))
    #expect(!later.works && later.text.contains("after 4.0 s of pictures: the connection broke"))
    #expect(try !report(StreamMeter()).works)
  }
}

extension ProbeReport {
  fileprivate var text: String { lines.joined(separator: "\n") }
}
