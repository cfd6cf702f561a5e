import Frames
import Posix

// Why a camera that let Camgate in shows nothing, in words for the person who can fix it: what came on the connection
// tells a slow camera, one without keyframes, pictures that nobody can decode, and nothing at all apart.

/// What one connection brought until its deadline.
struct Silence {
  /// The stream's codec; nil until the connection stands.
  var codec: Codec?
  /// What the camera said of its pictures' size; nil when it said nothing.
  var announcedSize: String?
  /// How it comes; nil where that is no matter of choice.
  var transport: CameraDescription.RTSPTransport?
  /// RTSP's packets, where they are counted.
  var arrivals: Arrivals?
  /// Frames that were passed on.
  var frameCount = 0
  /// Access units, whether passed on or not.
  var unitCount = 0
  /// Whether a keyframe came that nobody can decode.
  var isUndecodable = false

  /// The message after `waited`; `lastWords` is the last thing FFmpeg said.
  func message(waited: Duration, lastWords: String?) -> String {
    let time = "\(Int(waited.inSeconds.rounded())) s"
    if frameCount > 1 { return "no frame for \(time)" }
    if frameCount == 1 {
      return "no second frame for \(time): slower than timeouts.next_frame; the next connection has longer"
    }
    let words = lastWords.map { "; FFmpeg says: \($0)" } ?? ""
    if isUndecodable, let codec {
      return "keyframes come that nobody can decode (\(codec))\(words): try another profile of the camera"
    }
    if unitCount > 0 {
      return "pictures come, but no keyframe for \(time): lower the camera's keyframe interval (I-frame interval, GOP)"
    }
    guard let arrivals, let codec else { return "no picture for \(time) (timeouts.first_frame)\(words)" }
    return "\(wordsInstead(arrivals, codec)) for \(time) (timeouts.first_frame)\(words)"
  }

  /// What came instead of a picture.
  private func wordsInstead(_ arrivals: Arrivals, _ codec: Codec) -> String {
    if arrivals.media > 0 {
      return "packets come, but no whole picture (\(codec)\(announcedSize.map { " " + $0 } ?? ""))"
    }
    if arrivals.foreign > 0 {
      return "packets come, but none of the picture's track (another channel or payload type than the camera said)"
    }
    if arrivals.reports > 0 { return "only reports (RTCP) come, no picture" }
    return transport == .udp ? "no packet came over UDP (a firewall? try transport: tcp)" : "no byte came"
  }
}
