import Backlog
import Posix

// Which frames lie in Kafka although nobody has acknowledged them to this process, and for which lanes that is not known yet.

/// What is known of Kafka's tail.
struct DeliveredTails {
  /// Frames of one lane that were found, and the greatest of them: behind it nothing is looked up any more.
  private struct Found {
    var positions: [SentFrame: RecordPosition]
    let last: SentFrame
  }

  private var found: [Int: Found] = [:]
  /// Lanes of which some frames may lie in Kafka: nothing of them is sent before that is known.
  private(set) var doubtful: Set<Int> = []

  mutating func doubt(_ lane: Int) { doubtful.insert(lane) }

  func isDoubtful(_ lane: Int) -> Bool { doubtful.contains(lane) }

  /// It is known now: these frames lie there, and no others.
  mutating func know(_ lane: Int, _ positions: [SentFrame: RecordPosition]) {
    doubtful.remove(lane)
    found[lane] = positions.keys.max().map { Found(positions: positions, last: $0) }
  }

  /// Where a frame lies already that is about to be sent; nil when it does not, and is to be sent.
  mutating func position(of entry: Entry, in identity: GatewayIdentity) -> RecordPosition? {
    guard let lane = found[entry.lane.index] else { return nil }
    let frame = SentFrame(epoch: entry.epoch ?? identity.epoch, sequence: entry.sequence)
    if frame >= lane.last { found[entry.lane.index] = nil }
    return lane.positions[frame]
  }
}
