import Capture
import Frames
import Imaging
import Posix

// One camera, looked at for some seconds by the code that `camgate run` uses.

/// A look at a camera.
package final class CameraProbe: Sendable {
  /// Where it has got to.
  package enum Progress: Sendable {
    case connecting
    /// The first frame came.
    case streaming(Codec, width: Int, height: Int, after: Duration)
    case measured(StreamMeter)
  }

  private struct Seen: Sendable {
    var meter = StreamMeter()
    var firstFrame: MonotonicTime?
    /// What a picture can be made of.
    var still = StillFrames()
  }

  private let description: CameraDescription
  private let learnt: Learnt?
  private let camera: Camera
  private let recorder: DialogueRecorder?
  private let seen: Monitor<Seen>

  /// `learnt` is what a gateway has found out about the camera, nil where none was asked; `log` is told what the log of
  /// `camgate run` would be; `recorder` is what stands before an rtsp camera.
  package init(_ description: CameraDescription, learnt: Learnt? = nil, log: Log, recorder: DialogueRecorder? = nil) {
    let seen = Monitor(Seen())
    (self.description, self.seen, self.recorder) = (description, seen, recorder)
    self.learnt = learnt
    var asked = description
    if case .rtsp(_, let login, let transport, let tls) = description.source, let recorder {
      asked.source = .rtsp(url: recorder.url, login: login, transport: transport, tls: tls)
    }
    camera = Camera(asked, learnt: learnt ?? Learnt(), log: log, encoder: { JPEGEncoder() }) { frame in
      let (arrival, wallClock) = (MonotonicTime.now(), WallClock.nanosecondsSince1970())
      seen.withLock { seen in
        seen.firstFrame = seen.firstFrame ?? arrival
        seen.meter.add(frame, arrival: arrival, wallClock: wallClock)
        seen.still.add(frame)
      }
    }
  }

  /// How much longer than asked for a picture is waited for that is not whole yet.
  private static let picturePatience = Duration.seconds(30)

  /// Connects and measures for `duration` from the first frame on; shorter when the connection ends or `isInterrupted`
  /// says so, which is asked about ten times a second; longer when `needsPicture` and none is whole yet. Call once.
  package func run(
    for duration: Duration, needsPicture: Bool = false, progress: (Progress) -> Void, isInterrupted: () -> Bool
  ) -> ProbeReport {
    let start = MonotonicTime.now()
    progress(.connecting)
    camera.start()
    var (ending, wasStreaming, nextProgress) = (nil as CaptureError?, false, start)
    // When the connection after UDP comes; one such change is no failure.
    var change: MonotonicTime?
    while ending == nil, !isInterrupted() {
      let step = MonotonicTime.now() + .milliseconds(100)
      let now = seen.read { $0 }
      if let first = now.firstFrame, let codec = now.meter.codec {
        if !wasStreaming {
          let (width, height) = now.meter.size
          progress(.streaming(codec, width: width, height: height, after: first - start))
          (wasStreaming, nextProgress) = (true, first + .seconds(1))
        }
        let patience = needsPicture && !now.still.isWhole ? CameraProbe.picturePatience : .zero
        if MonotonicTime.now() >= first + duration + patience { break }
        if MonotonicTime.now() >= nextProgress {
          progress(.measured(now.meter))
          nextProgress = nextProgress + .seconds(1)
        }
      }
      switch camera.state {
      case .finished(let error): ending = error
      case .waiting(_, let until) where until == change: break
      case .waiting(let error, let until):
        if change == nil, isChangingTransport(after: error) { change = until } else { ending = error }
      case .connecting, .streaming, .stalled: break
      }
      if ending == nil { _ = seen.wait(until: step) { _ in nil as Bool? } }
    }
    camera.stop()
    _ = camera.join(until: .now() + .seconds(2))
    let final = seen.read { $0 }
    // A file that is at its end is no failure.
    let failure = ending?.code == .stopped ? nil : recorder?.refusal ?? ending
    return ProbeReport(
      description: description, meter: final.meter, firstFrameAfter: final.firstFrame.map { $0 - start },
      failure: failure, usedTransport: camera.transport, warnings: camera.warnings, ignoredTracks: camera.ignoredTracks,
      learnt: learnt)
  }

  /// Whether `transport: auto` goes on with TCP after `error`, as far as one can see from here.
  private func isChangingTransport(after error: CaptureError) -> Bool {
    guard case .rtsp(_, _, .auto, _) = description.source, camera.transport != .tcp else { return false }
    return [.silent, .unusable, .disconnected].contains(error.code)
  }

  /// A whole picture as a JPEG, of the newest keyframe there was: what the camera sent where that is Motion JPEG. nil when
  /// there is none or it cannot be decoded.
  package func picture() -> Payload? {
    let still = seen.read { $0.still }
    guard still.isWhole, let codec = still.frames.first?.codec else { return nil }
    if codec == .mjpeg { return still.frames.last?.payload }
    guard let encoder = JPEGEncoder(), let decoder = try? SoftwareDecoder(codec: codec) else { return nil }
    let last = Int64(still.frames.count - 1)
    var jpeg: Payload?
    do throws(ImagingError) {
      for (index, frame) in still.frames.enumerated() {
        try decoder.decode(frame.payload.bytes, tag: Int64(index)) { picture, tag in
          if tag == last { jpeg = encoder.jpeg(of: picture) }
        }
      }
      if jpeg == nil { try decoder.drain { picture, tag in if tag == last { jpeg = encoder.jpeg(of: picture) } } }
    } catch {
      return jpeg
    }
    return jpeg
  }
}
