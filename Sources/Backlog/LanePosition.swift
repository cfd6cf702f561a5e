import DiskRing
import Frames
import Posix

// Where in Kafka a lane stands, for the day after a crash: what was delivered and not written down is looked for behind
// that place. So nothing of a lane may leave before the place is known, and, if any of it is on disk, before a restart would
// find it there.

/// What is known of the place.
struct LanePosition {
  /// Where the lane stood when this run began, or was asked for when nothing of it had ever been sent.
  var start: RecordPosition?
  /// A restart would find the start, or a later place.
  var isDurable = false
  /// Nothing leaves before the start is known.
  var isNeeded = false
}

extension MemoryQueue {
  /// Whether frames of a lane may leave as far as its place goes.
  func isPlaced(_ lane: Int) -> Bool {
    let position = lanes[lane].position
    guard position.isNeeded else { return true }
    guard position.start != nil else { return false }
    return position.isDurable || (lanes[lane].writtenThrough == nil && lanes[lane].writingThrough == nil)
  }

  /// Nothing of the lane was ever sent, and from here on it will be.
  mutating func begin(_ lane: Int, at position: RecordPosition) {
    guard lanes[lane].position.start == nil else { return }
    lanes[lane].position.start = position
    if lanes[lane].watermark == nil {
      lanes[lane].watermark = Watermark(number: .beforeAll, mark: nil, position: position)
    }
  }
}

extension Backlog {
  /// From now on no frame leaves before its lane's place in Kafka is known: `begin` or `goOn` has to follow for those
  /// that `lanesWithoutPosition` lists. The same is true of lanes that are added later.
  package func requirePositions() {
    withQueue { queue in
      queue.needsPositions = true
      for lane in queue.lanes.indices { queue.lanes[lane].position.isNeeded = true }
    }
  }

  /// Lanes that wait for `begin` or `goOn`.
  package var lanesWithoutPosition: [Lane] {
    readQueue { queue in
      queue.lanes.indices.filter { queue.lanes[$0].position.isNeeded && queue.lanes[$0].position.start == nil }
        .map { Lane(index: $0) }
    }
  }

  /// Nothing of the lane lies in Kafka behind this place yet.
  package func begin(_ lane: Lane, at position: RecordPosition) {
    withQueue { $0.begin(lane.index, at: position) }
    ringDisk()
  }

  /// The lane's place cannot be known; its frames leave all the same.
  package func goOn(_ lane: Lane) {
    withQueue { $0.lanes[lane.index].position.isNeeded = false }
    ringDisk()
  }

  /// Frames of this run and of later ones carry a new id. Waits, at most until `deadline`, until a restart would know it;
  /// fails with the reason why it would not.
  package func renewRingID(until deadline: MonotonicTime) -> (ids: RingIDs, error: String?)? {
    guard let disk else { return nil }
    var ids = disk.facts.ringIDs
    ids.renew(.random(in: 1...(.max)), from: disk.facts.epoch)
    let outcome = Monitor<SystemError??>(nil)
    disk.replace(
      DiskBuffer.Note(name: RingIDs.fileName, text: ids.text) { error in outcome.withLock { $0 = .some(error) } })
    let answer: SystemError?? = outcome.wait(until: deadline) { $0 }
    return (ids, answer.map { $0.map { "\($0)" } } ?? "the disk does not answer")
  }

  /// Where in Kafka the newest frame lies in front of which all of the lane are finished; nil while unknown.
  package func position(of lane: Lane) -> RecordPosition? {
    readQueue { $0.lanes[lane.index].watermark?.position ?? $0.lanes[lane.index].position.start }
  }
}
