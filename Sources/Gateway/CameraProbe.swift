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
    /// The newest keyframe.
    var keyframe: Frame?
  }

  private let description: CameraDescription
  private let camera: Camera
  private let seen: Monitor<Seen>

  /// `log` is told what the log of `camgate run` would be.
  package init(_ description: CameraDescription, log: Log) {
    let seen = Monitor(Seen())
    (self.description, self.seen) = (description, seen)
    camera = Camera(description, log: log, encoder: { JPEGEncoder() }) { frame in
      let (arrival, wallClock) = (MonotonicTime.now(), WallClock.nanosecondsSince1970())
      seen.withLock { seen in
        seen.firstFrame = seen.firstFrame ?? arrival
        seen.meter.add(frame, arrival: arrival, wallClock: wallClock)
        if frame.isKeyframe { seen.keyframe = frame }
      }
    }
  }

  /// Connects and measures for `duration` from the first frame on; shorter when the connection ends or `isInterrupted`
  /// says so, which is asked about ten times a second. Call once.
  package func run(
    for duration: Duration, progress: (Progress) -> Void, isInterrupted: () -> Bool
  ) -> ProbeReport {
    let start = MonotonicTime.now()
    progress(.connecting)
    camera.start()
    var (ending, wasStreaming, nextProgress) = (nil as CaptureError?, false, start)
    while ending == nil, !isInterrupted() {
      let step = MonotonicTime.now() + .milliseconds(100)
      let now = seen.read { $0 }
      if let first = now.firstFrame, let codec = now.meter.codec {
        if !wasStreaming {
          let (width, height) = now.meter.size
          progress(.streaming(codec, width: width, height: height, after: first - start))
          (wasStreaming, nextProgress) = (true, first + .seconds(1))
        }
        if MonotonicTime.now() >= first + duration { break }
        if MonotonicTime.now() >= nextProgress {
          progress(.measured(now.meter))
          nextProgress = nextProgress + .seconds(1)
        }
      }
      switch camera.state {
      case .waiting(let error, _), .finished(let error): ending = error
      case .connecting, .streaming, .stalled: _ = seen.wait(until: step) { _ in nil as Bool? }
      }
    }
    camera.stop()
    _ = camera.join(until: .now() + .seconds(2))
    let final = seen.read { $0 }
    // A file that is at its end is no failure.
    let failure = ending?.code == .stopped ? nil : ending
    return ProbeReport(
      description: description, meter: final.meter, firstFrameAfter: final.firstFrame.map { $0 - start },
      failure: failure, usedTransport: camera.transport, warnings: camera.warnings, ignoredTracks: camera.ignoredTracks)
  }

  /// The newest keyframe as a JPEG: what the camera sent where that is Motion JPEG. nil when there is none or it cannot be
  /// decoded.
  package func picture() -> Payload? {
    guard let frame = seen.read({ $0.keyframe }) else { return nil }
    if frame.codec == .mjpeg { return frame.payload }
    guard let encoder = JPEGEncoder(), let decoder = try? SoftwareDecoder(codec: frame.codec) else { return nil }
    var jpeg: Payload?
    do throws(ImagingError) {
      try decoder.decode(frame.payload.bytes, tag: 0) { picture, _ in jpeg = encoder.jpeg(of: picture) }
      if jpeg == nil { try decoder.drain { picture, _ in jpeg = jpeg ?? encoder.jpeg(of: picture) } }
    } catch {
      return jpeg
    }
    return jpeg
  }
}
