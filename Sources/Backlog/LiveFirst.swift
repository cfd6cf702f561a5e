import Frames
import Posix

// Live-first: a camera has two lanes, each with its own order, its own place on disk and its own watermark. Frames go into
// the live lane until Kafka does not take them in time, and into the backfill lane from then on until the live one is empty
// again, always in whole GOPs. So the live lane never holds more than what came within that time and to the next keyframe,
// and a new frame never stands behind a backlog.

extension MemoryQueue {
  /// A live lane is behind when its oldest frame is older than this.
  static let liveAge = Duration.seconds(2)

  /// From now on `backfill` takes the frames of `lane` while it is behind.
  mutating func pair(_ lane: Int, with backfill: Int) {
    lanes[lane].backfillLane = backfill
    lanes[backfill].sharesNumbers = true
    lanes[lane].sharesNumbers = true
  }

  /// The lane for a camera's next frame, which tells what is missing in front of it wherever it goes.
  mutating func route(_ frame: inout Frame, _ lane: Int, now: MonotonicTime) -> Int {
    guard let backfill = lanes[lane].backfillLane else { return lane }
    if frame.isKeyframe {
      lanes[lane].isDiverted = lanes[lane].isDiverted ? !lanes[lane].isEmpty : lanes[lane].isBehind(now)
    }
    guard lanes[lane].isDiverted else { return lane }
    var gap = lanes[lane].gap
    gap.append(frame.gap)
    (frame.gap, lanes[lane].gap) = (gap, nil)
    return backfill
  }
}

extension LaneQueue {
  /// Whether nothing of it is left to be finished.
  var isEmpty: Bool { front.count == 0 && span == nil && back.count == 0 }

  /// Whether Kafka does not take its frames in time.
  func isBehind(_ now: MonotonicTime) -> Bool {
    if span != nil || readBackBytes > 0 { return true }
    return oldest.map { now - $0.arrival >= MemoryQueue.liveAge } ?? false
  }
}
