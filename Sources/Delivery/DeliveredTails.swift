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
  /// What was found under the ids of one lane's frames, and epoch and sequence of the last of them in the order of capture:
  /// behind it nothing is looked up any more.
  private struct Found {
    var frames: [FrameID: [DeliveredFrame]]
    let last: String
  }

  private var found: [Int: Found] = [:]
  /// Lanes of which some frames may lie in Kafka: nothing of them is sent before that is known.
  private(set) var doubtful: Set<Int> = []

  /// Doubtful lanes of which this run has sent nothing: what lies there under its ids is another copy's.
  private(set) var unbegun: Set<Int> = []
  /// Those of them of which no run has left anything: only what another copy has sent since is of interest.
  private(set) var finished: Set<Int> = []

  mutating func doubt(_ lane: Int) { doubtful.insert(lane) }

  /// At the start of a run, before anything of the lane is sent.
  mutating func begin(_ lane: Int, isFinished: Bool) {
    doubt(lane)
    unbegun.insert(lane)
    if isFinished { finished.insert(lane) }
  }

  func isDoubtful(_ lane: Int) -> Bool { doubtful.contains(lane) }

  /// It is known now: these lie there, and no others.
  mutating func know(_ lane: Int, _ frames: [FrameID: [DeliveredFrame]]) {
    doubtful.remove(lane)
    unbegun.remove(lane)
    finished.remove(lane)
    found[lane] = frames.keys.map(\.sequenceText).max().map { Found(frames: frames, last: $0) }
  }

  /// Where a frame lies already that is about to be sent; nil when it does not, and is to be sent. What lies there under its
  /// id and has other bytes is not this frame.
  mutating func position(of entry: Entry, in identity: GatewayIdentity) -> RecordPosition? {
    guard let lane = found[entry.lane.index] else { return nil }
    let frame = identity.id(of: entry)
    if frame.sequenceText >= lane.last { found[entry.lane.index] = nil }
    guard let likenesses = lane.frames[frame] else { return nil }
    let fingerprint = FrameFingerprint(entry.frame)
    return likenesses.first { $0.fingerprint == fingerprint }?.position
  }
}
