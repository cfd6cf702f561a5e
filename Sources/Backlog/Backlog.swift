import Frames
import Posix

// The one queue between the cameras and Kafka. Today it is memory; the disk ring goes behind the same interface: what a
// lane has on disk is always older than what it has only in memory, and `take` hands out whichever is next. Nothing in
// here grows with the length of an outage.

/// Frames that Kafka has not acknowledged yet. Safe to use from any thread.
package final class Backlog: Sendable {
  private struct State {
    var queue: MemoryQueue
    /// How often `wake` was called.
    var wakeCount = 0
  }

  private let state: Monitor<State>
  /// How many lanes there are.
  package let laneCount: Int

  /// - Parameters:
  ///   - laneCount: lanes are numbered from 0.
  ///   - memoryBudget: bytes of frames in memory that are not acknowledged, all lanes together.
  ///   - largestFrame: frames with more bytes than this cannot be sent and are dropped as oversize.
  package init(laneCount: Int, memoryBudget: Int, largestFrame: Int) {
    self.laneCount = laneCount
    state = Monitor(
      State(queue: MemoryQueue(laneCount: laneCount, byteBudget: memoryBudget, largestFrame: largestFrame)))
  }

  /// Adds a frame at the end of a lane. Never blocks: when the budget is full, whole GOPs are dropped, oldest first.
  package func append(_ frame: Frame, to lane: Lane) { state.withLock { $0.queue.append(frame, to: lane) } }

  /// Waits for a frame that may leave now, and takes it; nil when `deadline` has passed or somebody called `wake`.
  /// `isOpen` is asked with the lock held and must be quick.
  package func take(until deadline: MonotonicTime, where isOpen: (Entry) -> Bool) -> Entry? {
    var wakeCount: Int?
    let result: Entry?? = state.wait(until: deadline) { state in
      if let entry = state.queue.take(where: isOpen) { return .some(entry) }
      if let wakeCount, wakeCount != state.wakeCount { return .some(nil) }
      wakeCount = state.wakeCount
      return nil
    }
    return result ?? nil
  }

  /// Carries out what `decide` says. Decision and deed are one step: nobody takes a frame in between, so what goes back
  /// is taken again before anything behind it. `decide` is called with the lock held and must be quick.
  package func settle(_ decide: () -> [Settlement]) {
    state.withLock(wakingIf: { $0.queue.waitingCount > 0 || $0.queue.byteCount == 0 }) { state in
      for settlement in decide() {
        switch settlement {
        case .finished(let entry): state.queue.finish(entry)
        case .dropped(let entry, let reason): state.queue.finish(entry, dropped: reason)
        case .putBack(let entries): state.queue.putBack(entries)
        }
      }
    }
  }

  /// Waits until every frame is finished; false when some were not at `deadline`.
  package func waitUntilEmpty(until deadline: MonotonicTime) -> Bool {
    state.wait(until: deadline) { $0.queue.byteCount == 0 ? true : nil } ?? false
  }

  /// Makes a waiting `take` return.
  package func wake() { state.withLock { $0.wakeCount += 1 } }

  /// Frames dropped so far, by lane and reason.
  package var drops: [DropCounts] {
    state.read { state in (0..<laneCount).map { state.queue.drops(in: Lane(index: $0)) } }
  }

  /// Frames waiting to be taken.
  package var waitingCount: Int { state.read { $0.queue.waitingCount } }

  /// Bytes of all frames that are not acknowledged.
  package var byteCount: Int { state.read { $0.queue.byteCount } }
}
