import Frames
import Posix
import Testing

@testable import Capture

@Suite struct CameraTests {
  /// What a camera delivered.
  private final class Recorder: Sendable {
    let frames = Monitor<[Frame]>([])
    let camera: Camera

    init(
      _ source: CameraDescription.Source, _ timeouts: CameraDescription.Timeouts = .init(),
      memory: Camera.Memory? = nil
    ) throws {
      let frames = frames
      let name = try #require(CameraName("gate"))
      camera = Camera(
        CameraDescription(name: name, source: source, timeouts: timeouts), log: Log { _ in }, memory: memory
      ) { frame in frames.withLock { $0.append(frame) } }
      camera.start()
    }

    /// The first `count` frames; fewer when they do not come within a minute.
    func first(_ count: Int) -> [Frame] {
      _ = frames.wait(until: .now() + .seconds(60)) { $0.count >= count ? true : nil }
      return Array(frames.read { $0 }.prefix(count))
    }

    func stop() {
      camera.stop()
      #expect(camera.join(until: .now() + .seconds(60)))
    }
  }

  @Test func testPictures() throws {
    let recorder = try Recorder(.test(width: 320, height: 240, fps: 50))
    let frames = recorder.first(5)
    #expect(recorder.camera.state == .streaming(.mjpeg, width: 320, height: 240))
    recorder.stop()
    guard case .finished(let error) = recorder.camera.state else {
      Issue.record("\(recorder.camera.state)")
      return
    }
    #expect(error.code == .stopped)
    #expect(frames.map(\.pts) == (0..<5).map { $0 * 20_000_000 })
    #expect(frames.allSatisfy { $0.codec == .mjpeg && $0.isKeyframe && $0.width == 320 && $0.height == 240 })
    #expect(frames.allSatisfy { $0.gap == nil && ($0.clock == .gateway || $0.clock == .unsynced) })
    let shown = frames.sorted { $0.pts < $1.pts }
    #expect(zip(shown, shown.dropFirst()).allSatisfy { $0.captureTime < $1.captureTime })
  }

  /// A camera with other settings goes on where the one before it ended, and says that something is missing.
  @Test func oneAfterAnother() throws {
    let first = try Recorder(.test(width: 320, height: 240, fps: 50))
    _ = first.first(3)
    first.stop()
    let last = try #require(first.frames.read { $0.last })
    let second = try Recorder(.test(width: 160, height: 120, fps: 50), memory: first.camera.remains)
    let frames = second.first(2)
    second.stop()
    #expect(frames.first?.gap == Gap(frameCount: nil, reason: .camera) && frames.last?.gap == nil)
    #expect(frames.first.map { $0.pts > last.pts } == true)
  }

  @Test(arguments: [("h264.mp4", Codec.h264), ("h264b.mp4", .h264), ("h265.mp4", .h265), ("mjpeg.mkv", .mjpeg)])
  func aFileUpToItsEnd(_ name: String, _ codec: Codec) throws {
    let recorder = try Recorder(.file(path: try Clips.path(name), loops: false))
    #expect(recorder.camera.join(until: .now() + .seconds(60)))
    let frames = recorder.frames.read { $0 }
    #expect(frames.count == Clips.frameCount)
    #expect(frames.allSatisfy { $0.codec == codec && $0.width == 64 && $0.height == 48 && $0.gap == nil })
    #expect(frames.first?.isKeyframe == true)
    let shown = frames.sorted { $0.pts < $1.pts }
    #expect(zip(shown, shown.dropFirst()).allSatisfy { $0.captureTime < $1.captureTime })
    #expect(frames.compactMap(\.dts) == (0..<10).map { $0 * 20_000_000 })
    #expect(recorder.camera.state == .finished(CaptureError(.stopped, "the file is at its end")))
  }

  @Test func aLoopingFileIsOneStream() throws {
    let recorder = try Recorder(.file(path: try Clips.path("h264b.mp4"), loops: true))
    let frames = recorder.first(25)
    recorder.stop()
    #expect(frames.count == 25)
    #expect(frames.compactMap(\.dts) == (0..<25).map { $0 * 20_000_000 })
    #expect(frames.allSatisfy { $0.gap == nil })
  }

  /// A camera that begins in the middle of a long GOP sends for longer than the watchdog waits.
  @Test func aCameraThatSendsIsNotCutOffBeforeItsFirstKeyframe() throws {
    let bytes = try Clips.bytes("late.h264")
    let second = try #require(bytes.indices.dropFirst(5).first { bytes[$0...].starts(with: [0, 0, 0, 1, 9]) })
    let path = try Clips.write("without-its-beginning.h264", Array(bytes[second...]))
    var timeouts = CameraDescription.Timeouts()
    (timeouts.firstFrame, timeouts.nextFrame) = (.seconds(2), .seconds(2))
    let recorder = try Recorder(.file(path: path, loops: false), timeouts)
    #expect(recorder.camera.join(until: .now() + .seconds(60)))
    let frames = recorder.frames.read { $0 }
    #expect(frames.count == 10)
    #expect(frames.first?.isKeyframe == true)
  }

  @Test func aMissingFileIsNamedAndTriedAgain() throws {
    let lines = Monitor<[String]>([])
    let path = "/tmp/camgate-missing-\(UInt64.random(in: 0 ... .max))/clip.mp4"
    let name = try #require(CameraName("gate"))
    let camera = Camera(
      CameraDescription(name: name, source: .file(path: path, loops: true)),
      log: Log(level: .debug) { line in lines.withLock { $0.append(line) } }, deliver: { _ in })
    camera.start()
    let attempts = lines.wait(until: .now() + .seconds(60)) { lines in
      let found = lines.filter { $0.contains(path) && $0.contains("retry in") }
      return found.count >= 2 ? found : nil
    }
    camera.stop()
    #expect(camera.join(until: .now() + .seconds(60)))
    #expect(attempts?.first?.contains(" warning ") == true)
    #expect(attempts?.last?.contains(" debug ") == true, "what is repeated is said more quietly")
  }

  @Test func stoppingBeforeStartingAndTwice() throws {
    let name = try #require(CameraName("gate"))
    let camera = Camera(
      CameraDescription(name: name, source: .test(width: 32, height: 32, fps: 1)), log: Log { _ in }, deliver: { _ in })
    #expect(camera.join(until: .now()), "never started")
    camera.stop()
    camera.stop()
    camera.start()
    #expect(camera.join(until: .now() + .seconds(60)))
    #expect(camera.name == name)
  }

  @Test func aStoppedCameraHoldsNothing() throws {
    weak var held: Camera?
    do {
      let recorder = try Recorder(.test(width: 32, height: 32, fps: 100))
      held = recorder.camera
      #expect(recorder.first(2).count == 2)
      recorder.stop()
    }
    // The thread lets go of it right after `join` was let go on.
    while held != nil { Thread.start(name: "turn") {}.join() }
  }
}
