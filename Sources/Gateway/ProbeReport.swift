import Capture
import Delivery
import Frames
import Posix
import Records
import Settings

// What was found out about a camera, and what to do about it.

/// The findings of a `CameraProbe`.
package struct ProbeReport: Sendable {
  package var description: CameraDescription
  package var meter: StreamMeter
  /// From the beginning to the first frame.
  package var firstFrameAfter: Duration?
  /// Why the connection ended before its time.
  package var failure: CaptureError?
  /// How the pictures came at last, which `auto` leaves open.
  package var usedTransport: CameraDescription.RTSPTransport?
  package var warnings: [String]
  package var ignoredTracks: [String]
  /// What a gateway has found out about the camera; nil where none was asked.
  package var learnt: Learnt?

  /// Whether `camgate run` would do with this camera.
  package var works: Bool { failure == nil && meter.frameCount > 0 }

  /// Keyframes further apart than this make every loss a long one, seconds.
  static let longKeyframeInterval = 10.0

  /// What would be better, each with its remedy.
  package var hints: [String] {
    if meter.frameCount == 0 { return warnings }
    return warnings + [lossHint, keyframeHint, sizeHint, clockHint, rateHint].compactMap { $0 }
  }

  private var transport: CameraDescription.RTSPTransport? {
    if case .rtsp(_, _, let transport, _) = description.source { transport } else { nil }
  }

  private var lossHint: String? {
    if meter.gaps.isEmpty { return nil }
    let reasons = Set(meter.gaps.map(\.reason.rawValue)).sorted().joined(separator: ", ")
    let remedy =
      (usedTransport ?? transport) == .udp
      ? ": transport tcp loses nothing on the way" : ": look at the network and the camera's load"
    return "pictures were lost \(count(meter.gaps.count, "time")) (\(reasons))\(remedy)"
  }

  private var keyframeHint: String? {
    if meter.codec == .mjpeg { return nil }
    let interval = meter.keyframeInterval?.seconds ?? meter.seconds
    if interval < ProbeReport.longKeyframeInterval { return nil }
    return
      "keyframes are \(number(interval)) s or more apart: after a loss nothing can be seen until the next one; set the "
      + "camera's keyframe (I-frame, GOP) interval to 1 or 2 s"
  }

  private var sizeHint: String? {
    let limit = Configuration.Kafka().messageMaxBytes
    if meter.largestFrame + FrameHeaders.overhead <= limit { return nil }
    // Pictures of a night or of rain are larger than those of now.
    let wanted = (2 * meter.largestFrame >> 20) + 1
    return
      "frames have up to \(meter.largestFrame >> 10) KiB, and a record \(limit >> 10) KiB: they come in parts, which not "
      + "every reader joins; set kafka.message_max_bytes to \(wanted)MiB or more, and the topic's max.message.bytes"
  }

  private var clockHint: String? {
    switch meter.lastClock {
    case .unsynced:
      "this gateway's clock is not synchronised: capture times may be wrong; set up NTP (timedatectl)"
    case .gateway where transport != nil:
      "the camera's own clock is not used: it says none (RTCP sender reports), or one more than 5 s off; set up NTP on the "
        + "camera to date pictures when they were taken and not when they came"
    default: nil
    }
  }

  private var rateHint: String? {
    guard let fps = meter.fps, let mediaFps = meter.mediaFps, meter.seconds > 2, abs(fps - mediaFps) > 0.1 * fps else {
      return nil
    }
    return "the camera stamps \(number(mediaFps)) frames a second and sends \(number(fps)): it may be overloaded"
  }

  private func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
}

/// `value` with one decimal.
package func number(_ value: Double) -> String {
  let tenths = Int((min(max(value, -1e12), 1e12) * 10).rounded())
  return "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
}
