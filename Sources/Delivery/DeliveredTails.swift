import Backlog
import Posix
import Records

// Which frames lie in Kafka although nobody has acknowledged them to this process, and for which lanes that is not known yet.

/// A frame in Kafka.
struct DeliveredFrame: Hashable, Sendable {
  var fingerprint: FrameFingerprint
  var position: RecordPosition
}

/// What is known of Kafka's tail.
struct DeliveredTails {
  /// What was found under the ids of one lane's frames, and the greatest of them: above it nothing is looked up any more.
  private struct Found {
    var frames: [FrameID: [DeliveredFrame]]
    let last: FrameID
  }

  private var found: [Int: Found] = [:]
  /// Lanes of which some frames may lie in Kafka: nothing of them is sent before that is known.
  private(set) var doubtful: Set<Int> = []

  mutating func doubt(_ lane: Int) { doubtful.insert(lane) }

  func isDoubtful(_ lane: Int) -> Bool { doubtful.contains(lane) }

  /// It is known now: these lie there, and no others.
  mutating func know(_ lane: Int, _ frames: [FrameID: [DeliveredFrame]]) {
    doubtful.remove(lane)
    found[lane] = frames.keys.max().map { Found(frames: frames, last: $0) }
  }

  /// Where a frame lies already that is about to be sent; nil when it does not, and is to be sent. What lies there under its
  /// id and has other bytes is not this frame.
  mutating func position(of entry: Entry, in identity: GatewayIdentity) -> RecordPosition? {
    guard let lane = found[entry.lane.index] else { return nil }
    let frame = identity.id(of: entry)
    if frame >= lane.last { found[entry.lane.index] = nil }
    guard let likenesses = lane.frames[frame] else { return nil }
    let fingerprint = FrameFingerprint(entry.frame)
    return likenesses.first { $0.fingerprint == fingerprint }?.position
  }
}
