import DiskRing
import Frames
import Posix

// The disk behind the queue, and the thread `backlog` that owns it: nobody else touches the ring, and nobody waits for
// the disk but this thread and, for fdatasync, `ring-sync`.

/// How the disk is used.
package struct DiskOptions: Sendable {
  package var directory: String
  package var ring: RingOptions
  package var write: BufferWrite
  /// How old an unacknowledged frame may become before it is written.
  package var spillAfter: Duration
  /// Above so much of the ring, in hundredths, only keyframes are written; nil for never.
  package var thinAbove: Int?
  /// Told, on the thread of the disk, up to where a lane's frames are acknowledged, safe on disk, or dropped and counted.
  package var onSecured: (@Sendable (Lane, FrameNumber) -> Void)?
  /// Which boot of the machine this is, and the time when it is known: they date what was captured before it was.
  var boot = FrameMetadata.presentBoot
  var clock: @Sendable () -> ClockReading? = WallClock.synchronizedReading

  package init(
    directory: String, ring: RingOptions, write: BufferWrite = .onPressure, spillAfter: Duration = .seconds(2),
    thinAbove: Int? = nil
  ) {
    (self.directory, self.ring, self.write) = (directory, ring, write)
    (self.spillAfter, self.thinAbove) = (spillAfter, thinAbove)
  }
}

/// What was found when the disk was opened.
package struct DiskFacts: Sendable {
  package var ringIDs: RingIDs
  package var epoch: UInt64
  /// A copy of the ring may have used the epoch before: the clock that it grows with was not set.
  package var mayRepeatEpoch: Bool
  /// Bytes on disk, whatever they hold.
  package var byteCount: Int
  /// The lanes that were asked for, then those of which an earlier run has left something.
  package var lanes: [StreamDescription]
  /// Where in Kafka the newest finished frame of each lies; nil while unknown.
  package var positions: [RecordPosition?]
  /// What an earlier run has left in them.
  package var leftovers: [StreamInventory]
  /// What an earlier run was asked to `keep`; empty when there is nothing, or it cannot be read.
  package var learnt = ""
  package var recovery: RecoveryReport
  /// The run before this one may have lost frames that were only in memory.
  package var endedBadly: Bool
  /// Frames may be missing that nobody can count.
  var mayHaveLost: Bool { endedBadly || recovery.hasDamage }
}

/// Why a lane cannot be added.
package struct LaneError: Error, Sendable, Equatable {
  package let message: String
}

/// A ring in a directory, with its thread.
package final class DiskBuffer: Sendable {
  /// What the thread is told.
  struct Bell {
    var isRung = false
    var syncs: [(request: SyncRequest, error: SystemError?)] = []
    var notes: [Note] = []
    var state: Monitor<BacklogState>?
    /// What is to be kept for the next run.
    var learnt: (@Sendable () -> String)?
    /// Everything is to be made durable at once.
    var isSecuring = false
    var isClosing = false
    /// Lanes that are to be added.
    var registration: Registration?
  }

  /// Lanes that are to be added, and who waits for that.
  struct Registration {
    let streams: [StreamDescription]
    let whenAdded: @Sendable () -> Void
    let answer: Monitor<Result<Void, RingError>?>
  }

  /// A small file to be written to the ring's directory, and whom to tell when that is done.
  struct Note {
    var name: String
    var text: String
    var onEnd: @Sendable (SystemError?) -> Void
  }

  let options: DiskOptions
  package let facts: DiskFacts
  private let bell: Monitor<Bell>
  let pulse: DiskPulse
  private let thread: Thread

  /// Opens the ring, or makes one, on a thread of its own. `lanes` are those of this run. Fails with the reason and a
  /// remedy; blocks for as long as the disk takes.
  package static func open(_ options: DiskOptions, lanes: [StreamDescription], log: Log) throws(RingError) -> DiskBuffer
  {
    let answer = Monitor<Result<DiskFacts, RingError>?>(nil)
    let (bell, pulse) = (Monitor(Bell()), DiskPulse())
    let thread = Thread.start(name: "backlog") {
      do throws(RingError) {
        let (ring, storage, facts) = try openRing(options, lanes, log)
        answer.withLock { $0 = .success(facts) }
        let keeper = RingKeeper(
          ring: ring, storage: storage, options: options, facts: facts, bell: bell, pulse: pulse, log: log)
        keeper.run()
      } catch { answer.withLock { $0 = .failure(error) } }
    }
    guard let result = answer.wait(for: { $0 }) else { preconditionFailure("a wait without a deadline has ended") }
    return DiskBuffer(options: options, facts: try result.get(), bell: bell, pulse: pulse, thread: thread)
  }

  private init(options: DiskOptions, facts: DiskFacts, bell: Monitor<Bell>, pulse: DiskPulse, thread: Thread) {
    (self.options, self.facts, self.bell, self.pulse, self.thread) = (options, facts, bell, pulse, thread)
  }

  private static func openRing(
    _ options: DiskOptions, _ lanes: [StreamDescription], _ log: Log
  ) throws(RingError) -> (Ring, PosixStorage, DiskFacts) {
    let (ring, storage) = try openPatiently(options, log)
    for name in ring.recovery.unreadFiles {
      log.error(
        "cannot read \(options.directory)/\(name): it is kept as it is, and what it holds is not sent before a start that "
          + "can read it")
    }
    var streams: [StreamID] = []
    for lane in lanes { streams.append(try ring.register(lane)) }
    let leftovers = ring.inventory.filter { $0.recordCount > 0 || $0.last.key > $0.cursor.finished.key }
    let others = leftovers.map(\.description).filter { !lanes.contains($0) }
    for lane in others { streams.append(try ring.register(lane)) }
    var facts = DiskFacts(
      ringIDs: RingIDs(original: ring.id, text: NoteFile(name: RingIDs.fileName, storage: storage).text),
      epoch: ring.epoch, mayRepeatEpoch: !ring.recovery.isNew && options.clock() == nil, byteCount: ring.byteCount,
      lanes: lanes + others,
      positions: streams.map { ring.cursor(of: $0).position }, leftovers: leftovers, recovery: ring.recovery,
      endedBadly: !ring.recovery.isNew && OrderlyStop.epoch(storage) != ring.previousEpoch)
    facts.learnt = LearntNote.text(in: storage)
    return (ring, storage, facts)
  }

  /// What may pass by itself is waited for; frames in what cannot be read for a moment come before all others.
  private static func openPatiently(_ options: DiskOptions, _ log: Log) throws(RingError) -> (Ring, PosixStorage) {
    let start = MonotonicTime.now()
    var pause = Duration.milliseconds(50)
    var ringOptions = options.ring
    while true {
      let isLast = MonotonicTime.now() - start >= RingError.devicePatience
      ringOptions.acceptsOneSlot = isLast
      do throws(RingError) {
        let storage = try PosixStorage(path: options.directory)
        let ring = try Ring.open(storage, ringOptions)
        if isLast || !ring.recovery.mayBeReadSoon { return (ring, storage) }
        ring.close()
      } catch {
        if isLast || MonotonicTime.now() - start >= error.patience { throw error }
      }
      if pause == .milliseconds(50) { log.info("waiting for the ring in \(options.directory)") }
      Thread.sleep(pause)
      pause = min(pause * 2, .seconds(4))
    }
  }

  /// From now on frames go between `state` and the ring.
  func attach(_ state: Monitor<BacklogState>) { bell.withLock { $0.state = state } }

  /// There may be something to do.
  func ring() { bell.withLock { $0.isRung = true } }

  /// Keeps a text of up to 64 KiB for the next run (`DiskFacts.learnt`), in place of what was kept before. Returns at
  /// once; `learnt` is asked for it later, on the thread of the disk.
  package func keep(_ learnt: @escaping @Sendable () -> String) { bell.withLock { $0.learnt = learnt } }

  /// Replaces a note, on the thread of the disk.
  func replace(_ note: Note) { bell.withLock { $0.notes.append(note) } }

  /// See `Backlog.addLanes`.
  func addLanes(
    _ streams: [StreamDescription], until deadline: MonotonicTime, whenAdded: @escaping @Sendable () -> Void
  ) throws(LaneError) {
    let registration = Registration(streams: streams, whenAdded: whenAdded, answer: Monitor(nil))
    let isFree = bell.withLock { bell -> Bool in
      defer { bell.registration = bell.registration ?? registration }
      return bell.registration == nil
    }
    // One that was not answered in time is carried out some day.
    guard isFree else { throw LaneError(message: "the disk is busy with an earlier change") }
    guard let result = registration.answer.wait(until: deadline, for: { $0 }) else {
      throw LaneError(message: "the disk is busy")
    }
    if case .failure(let error) = result { throw LaneError(message: error.message) }
  }

  /// Everything that is written is synced at once from now on.
  func secure() { bell.withLock { $0.isSecuring = true } }

  /// Writes down what is finished, syncs everything and lets go of the directory.
  func close() {
    bell.withLock { $0.isClosing = true }
    thread.join()
  }
}
