import Capture
import Frames
import Posix

/// A camera that runs in this process, with everything it delivers and says written down.
final class WatchedCamera: Sendable {
  /// A frame as it was delivered.
  struct Seen: Sendable {
    /// nil for what is no whole frame of a clip.
    var shown: ShownClips.Shown?
    /// Without its bytes, unless they are kept.
    var frame: Frame
    var time: MonotonicTime
  }

  struct Record: Sendable {
    var seen: [Seen] = []
    var lines: [String] = []
    /// When the log spoke of waits before another attempt, and how long each was to be.
    var waits: [(time: MonotonicTime, pause: Duration)] = []

    var gaps: [Gap.Reason] { seen.compactMap { $0.frame.gap?.reason } }
    /// Frames since the last gap.
    var countAfterGap: Int { seen.count - (seen.lastIndex { $0.frame.gap != nil } ?? 0) }

    /// How long after the end of the last wait, or after the camera was back if that was later, the first frame behind
    /// the last gap came; nil when there was no wait.
    func recovery(since back: MonotonicTime) -> Duration? {
      let first = seen.last { $0.frame.gap != nil } ?? seen.first
      guard let wait = waits.last, let first else { return nil }
      return first.time - max(wait.time + wait.pause, back)
    }

    /// How long no frame came, at most, from one frame to the next.
    var longestSilence: Duration {
      zip(seen, seen.dropFirst()).map { $1.time - $0.time }.max() ?? .zero
    }
  }

  let record = Monitor(Record())
  private let camera: Camera

  init(_ description: CameraDescription, clips: ShownClips, keepsPayload: Bool = false) {
    let secrets = Secrets()
    if case .rtsp(_, let login?, _, _) = description.source { secrets.register(login.password) }
    let record = record
    let log = Log(level: .debug, secrets: secrets) { line in
      OddPassword.check(line, of: "camera \(description.name)")
      let pause = line.firstMatch(of: #/retry in (\d+)\.(\d) s/#).flatMap { match in
        Int64(match.output.1 + match.output.2).map { Duration.milliseconds($0 * 100) }
      }
      record.withLock { record in
        record.lines.append(line)
        if let pause { record.waits.append((.now(), pause)) }
      }
    }
    camera = Camera(description, log: log.about("camera \(description.name)")) { frame in
      var kept = frame
      if !keepsPayload { kept.payload = Payload([]) }
      let seen = Seen(
        shown: clips.find(frame.payload, frame.codec), frame: kept, time: .now())
      record.withLock { $0.seen.append(seen) }
    }
    camera.start()
  }

  var name: CameraName { camera.name }

  /// Waits until `isEnough`, at most until `deadline`; whether it came to that.
  func wait(until deadline: MonotonicTime = .now() + .hangLimit, _ isEnough: (Record) -> Bool) -> Bool {
    record.wait(until: deadline) { isEnough($0) ? true : nil } ?? false
  }

  /// Ends it; false when it hangs.
  func stop() -> Bool {
    camera.stop()
    return camera.join(until: .now() + .hangLimit)
  }
}
