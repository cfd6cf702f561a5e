import DiskRing
import Frames
import Posix

// The one queue between the cameras and Kafka: memory, and a ring on disk behind the same interface. What a lane has on
// disk only is always older than what it has only in memory, and `take` hands out whichever is next. Nothing in here
// grows with the length of an outage, and nobody who appends or takes waits for the disk.

/// What the threads share.
struct BacklogState {
  var queue: MemoryQueue
  /// nil without a disk.
  var policy: SpillPolicy?
  /// How often `wake` was called.
  var wakeCount = 0
  /// Up to where waiters were told that records are durable.
  var announcedTicket: Ticket = 0
  /// The disk takes nothing any more.
  var isDegraded = false
}

/// Frames that Kafka has not acknowledged yet. Safe to use from any thread.
package final class Backlog: Sendable {
  private let state: Monitor<BacklogState>
  let disk: DiskBuffer?

  /// - Parameters:
  ///   - laneCount: lanes are numbered from 0; with a disk there are as many as its facts say.
  ///   - memoryBudget: bytes of frames in memory that are not acknowledged, all lanes together.
  ///   - largestFrame: frames with more bytes than this cannot be sent and are dropped as oversize.
  ///   - disk: what does not fit, or must survive; nil for memory only.
  package init(laneCount: Int, memoryBudget: Int, largestFrame: Int, disk: DiskBuffer? = nil) {
    self.disk = disk
    var state = BacklogState(
      queue: MemoryQueue(
        laneCount: laneCount, byteBudget: memoryBudget, largestFrame: largestFrame, hasDisk: disk != nil))
    if let disk {
      precondition(laneCount == disk.facts.lanes.count, "a backlog has the lanes of its disk")
      state.policy = SpillPolicy(
        mode: disk.options.write, memoryBudget: memoryBudget, spillAfter: disk.options.spillAfter)
      state.queue.restore(disk.facts.leftovers, lanes: disk.facts.lanes, epoch: disk.facts.epoch)
      if disk.facts.mayHaveLost { state.queue.announceRestart() }
      for (lane, position) in disk.facts.positions.enumerated() {
        state.queue.lanes[lane].position = LanePosition(start: position, isDurable: position != nil)
      }
    }
    self.state = Monitor(state)
    disk?.attach(self.state)
  }

  /// Adds a frame at the end of a lane. Never blocks: when the budget is full, whole GOPs are dropped, oldest first.
  package func append(_ frame: Frame, to lane: Lane) {
    let now = MonotonicTime.now()
    let wantsDisk = state.withLock { state in
      state.queue.append(frame, to: lane, now: now)
      return state.wantsWrite
    }
    if wantsDisk { disk?.ring() }
  }

  /// Waits for a frame that may leave now, and takes it; nil when `deadline` has passed or somebody called `wake`.
  /// `isOpen` is asked with the lock held and must be quick.
  package func take(until deadline: MonotonicTime, where isOpen: (Entry) -> Bool) -> Entry? {
    var wakeCount: Int?
    var wantsDisk = false
    let result: Entry?? = state.wait(until: deadline) { state in
      if let entry = state.queue.take(where: isOpen) {
        wantsDisk = state.queue.wantsRead
        return .some(entry)
      }
      if let wakeCount, wakeCount != state.wakeCount { return .some(nil) }
      wakeCount = state.wakeCount
      return nil
    }
    if wantsDisk { disk?.ring() }
    return result ?? nil
  }

  /// Carries out what `decide` says. Decision and deed are one step: nobody takes a frame in between, so what goes back
  /// is taken again before anything behind it. `decide` is called with the lock held and must be quick.
  package func settle(_ decide: () -> [Settlement]) {
    let wantsDisk = state.withLock(wakingIf: { $0.queue.waitingCount > 0 || $0.queue.byteCount == 0 }) { state in
      for settlement in decide() {
        switch settlement {
        case .finished(let entry, let position): state.queue.finish(entry, at: position)
        case .dropped(let entry, let reason): state.queue.finish(entry, dropped: reason)
        case .putBack(let entries): state.queue.putBack(entries)
        }
      }
      return state.queue.wantsRead
    }
    if wantsDisk { disk?.ring() }
  }

  /// Waits until every frame is finished; false when some were not at `deadline`.
  package func waitUntilEmpty(until deadline: MonotonicTime) -> Bool {
    state.wait(until: deadline) { $0.queue.isEmpty ? true : nil } ?? false
  }

  /// Writes every frame that is not acknowledged to disk and waits until all are safe there; false when they are not at
  /// `deadline`, or when there is no disk. Frames that come later are written as well.
  package func secure(until deadline: MonotonicTime) -> Bool {
    guard let disk else { return false }
    state.withLock { $0.policy?.stop() }
    disk.secure()
    disk.ring()
    let isSecured = state.wait(until: deadline) { state -> Bool? in
      state.queue.isSecured ? true : state.isDegraded ? false : nil
    }
    return isSecured ?? false
  }

  /// Closes the disk; what is finished is written down. Nothing may be appended or taken any more. Returns what is left:
  /// frames that wait on disk for the next run, and frames that are lost.
  package func close() -> (onDisk: Int, lost: Int) {
    disk?.close()
    return state.read { state in
      let unfinished = state.queue.unfinished
      return (unfinished.onDisk, unfinished.inMemory)
    }
  }

  /// Adds lanes behind those that are there, with the streams that they get on disk. `whenAdded` is called, once, before
  /// any frame of them can be appended or taken, with the lock held, and must be quick. Blocks while the disk is busy;
  /// throws when the ring has no room for them. What is not done at `deadline` is done later, and then this throws, too.
  package func addLanes(
    _ streams: [StreamDescription], until deadline: MonotonicTime, whenAdded: @escaping @Sendable () -> Void
  ) throws(LaneError) {
    if let disk {
      try disk.addLanes(streams, until: deadline, whenAdded: whenAdded)
    } else {
      state.withLock { state in
        for _ in streams { state.queue.addLane() }
        whenAdded()
      }
    }
  }

  /// The next frame of a lane is numbered behind those of the others, which are the same camera's.
  package func number(_ lane: Lane, behind others: [Lane]) {
    withQueue { queue in
      let next = others.map { queue.lanes[$0.index].nextSequence }.max() ?? 0
      queue.lanes[lane.index].nextSequence = max(queue.lanes[lane.index].nextSequence, next)
    }
  }

  /// Live-first: `backfill` takes the frames of `lane` while Kafka does not take them in time.
  package func pair(_ lane: Lane, with backfill: Lane) { withQueue { $0.pair(lane.index, with: backfill.index) } }

  /// `held` says of each lane whether nothing of it will be taken for now. It is called with the lock held and must be
  /// quick.
  package func hold(_ held: () -> [Bool]) {
    let wantsDisk = state.withLock(wakingIf: { _ in false }) { state in
      state.queue.hold(held()) && state.queue.wantsRead
    }
    if wantsDisk { disk?.ring() }
  }

  /// Looks at the queue, or changes it, with the lock held.
  func readQueue<Result>(_ body: (borrowing MemoryQueue) -> Result) -> Result { state.read { body($0.queue) } }
  func withQueue<Result>(_ body: (inout MemoryQueue) -> Result) -> Result { state.withLock { body(&$0.queue) } }

  /// The disk may have something to do.
  func ringDisk() { disk?.ring() }

  /// Lanes of which an earlier run has left something.
  package var lanesWithLeftovers: [Lane] {
    guard let facts = disk?.facts else { return [] }
    return facts.lanes.indices.filter { lane in facts.leftovers.contains { $0.description == facts.lanes[lane] } }
      .map { Lane(index: $0) }
  }

  /// Another copy of the ring may have given the ids of this run.
  package var mayRepeatIDs: Bool { disk?.facts.mayRepeatEpoch ?? false }

  /// Makes a waiting `take` return.
  package func wake() { state.withLock { $0.wakeCount += 1 } }

  /// Frames dropped so far, by lane and reason.
  package var drops: [DropCounts] {
    state.read { state in state.queue.lanes.indices.map { state.queue.drops(in: Lane(index: $0)) } }
  }

  /// Frames waiting to be taken.
  package var waitingCount: Int { state.read { $0.queue.waitingCount } }

  /// Frames that are on disk only.
  package var diskCount: Int { state.read { $0.queue.diskCount } }

  /// For how long the disk has not answered; up to a second while it does, zero without one.
  package func diskSilence(now: MonotonicTime) -> Duration { disk?.pulse.silence(now: now) ?? .zero }

  /// Bytes of all frames in memory that are not acknowledged.
  package var byteCount: Int { state.read { $0.queue.byteCount } }
}

extension BacklogState {
  /// Whether the thread of the disk has something to write.
  var wantsWrite: Bool {
    guard let policy, !isDegraded else { return false }
    return policy.isSpilling || queue.byteCount > queue.byteBudget / 2
  }
}
