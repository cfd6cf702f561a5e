import Backlog
import Glibc
import Posix

/// What a test that kills the gateway has to know: which frames may not be missing afterwards. When the environment has
/// CAMGATE_REPORT_SECURED, the number of an open descriptor, a line `CAMERA EPOCH SEQUENCE` goes there whenever all of a
/// camera's frames of that run up to that number are acknowledged, safe on disk, or dropped and counted.
struct SecuredReport: Sendable {
  private let descriptor: Int32
  private let cameras: [String]

  /// nil when nobody asks.
  init?(cameras: [String]) {
    guard let text = getenv("CAMGATE_REPORT_SECURED"), let descriptor = Int32(String(cString: text)) else { return nil }
    (self.descriptor, self.cameras) = (descriptor, cameras)
  }

  @Sendable func report(_ lane: Lane, _ number: FrameNumber) {
    guard lane.index < cameras.count, let epoch = number.epoch else { return }
    try? Files.write(Array("\(cameras[lane.index]) \(epoch) \(number.sequence)\n".utf8), to: descriptor)
  }
}
