import Glibc
import Posix

// The ring: a directory of preallocated segments that survives power cuts. Fault model: a crash keeps, drops, tears (at
// 512-byte sectors), zeroes or garbles every write since the last sync of its file, independently of all others, and
// forgets names since the last sync of the directory; a sync may fail and then says nothing about what it was for; bits
// may rot anywhere. (Not survived: a failed sync whose data the system still shows to the next process, and loses with
// the power after that.) Invariants: a record reported durable is read back byte for byte or reported as damaged; a stream is
// read in order, and what is missing is counted; (epoch, sequence) is never used twice; disk use never exceeds the size.
//
// It starts no thread and reads no clock. Not Sendable, so that the compiler keeps it with the one thread that owns it.

/// A ring of records on a `Storage`. How to use it:
///
///  1. `open`, then `register` every stream. `inventory` says what was left behind.
///  2. Read with `next` and `read`, from `cursor(of:).finished` on; `finish` what is acknowledged.
///  3. Spill with `append`. Keep the bytes in memory until `durableTicket` has reached the ticket. On `.notNow`, keep the
///     record and go on after the next `syncFinished`. On `RingEvent.rewrite`, append again what is not durable.
///  4. After every append, finish and sync, and when `nextSyncTime` has come: ask `nextSync`, have the file synced by
///     a `RingSyncer` (or by `flush`), and tell `syncFinished`.
///  5. Look at `takeEvents` after each of these.
///  6. Once a round, and when `retryTime` has come: `retry`. It tries again what failed.
///  7. `flush` and `close` at the end.
package final class Ring {
  let storage: any Storage
  let options: RingOptions
  /// 64 random bits drawn when the ring was made: a new card never repeats old ids.
  package let id: UInt64
  /// Grows by at least one with every open for writing. With a read-only storage, that of the last writer.
  package let epoch: UInt64
  /// The newest epoch that was found at opening: that of the run before, unless this ring is a copy. 0 for a new ring.
  package internal(set) var previousEpoch: UInt64 = 0
  /// What was found at opening, and what was done about it.
  package let recovery: RecoveryReport
  /// Bytes of the ring on disk, everything included.
  package let byteCount: Int
  package let segmentByteCount: Int

  struct Stream {
    var number: UInt16
    var description: StreamDescription
    /// The newest record ever appended, as far as is known.
    var last: Mark = .start
    /// `last` never falls below this when records turn out to be void: it is durable, or evicted.
    var floor: Mark = .start
    var cursor = CursorEntry()
    /// What the durable cursor says; nil when the stream is not in it.
    var durableCursor: CursorEntry?
    /// Somebody in this process uses it.
    var isRegistered = false
  }

  /// The kind of sync that is under way.
  enum PendingSync {
    case cursor([UInt16: CursorEntry])
    case header(Segment)
    case records(Segment, end: Int, lastTicket: Ticket)
    case footer(Segment)
  }

  /// In the order of their generations; the last one or two take records.
  var segments: SegmentList = []
  /// Where reading starts, by stream; nil before the first look, and again when segments were taken in.
  var readingStarts: (streams: [UInt16: ReadingStarts], insertionCount: Int)?
  /// Segments in which something could not be read when somebody last looked.
  var heldSegments: [Segment] = []
  /// Names of files that hold nothing.
  var freeFiles: [String] = []
  /// Where records are appended; nil while there is none.
  var current: Segment?
  /// The segment after `current`, prepared before it is needed.
  var spare: Segment?
  /// What the spare's file holds until the first record goes into the spare.
  var spareHolds: Segment?
  /// Failures to write headers, records and footers in a row, and when a header is tried again.
  var writeTimer = RetryTimer()
  /// A sync has worked since a segment made room.
  var hasSynced = true
  /// How often writing a file has failed since it worked last.
  var failedFiles: [String: Int] = [:]
  var lastWriteError = SystemError(code: EIO, operation: "no segment of the ring can be written")
  var nextGeneration: UInt64 = 1
  var cuts: [Cut] = []
  /// Streams whose number may not be their own, because files could not be read: while there are any, nothing is written.
  var provisional: Set<UInt16> = []
  /// The caller may have marks of records that are void.
  var hasVoidMarks = false
  var streams: [UInt16: Stream] = [:]
  /// Streams that a new one may take the place of.
  var forgettable: Set<UInt16> = []
  /// Numbers that were taken from streams since the ring was opened.
  var forgotten: Set<UInt16> = []
  /// Cursor entries of streams that nobody has named yet, by hash.
  var unclaimedCursors: [UInt64: CursorEntry] = [:]
  var lastTicket: Ticket = 0
  /// All records with tickets up to here survive a crash.
  package var durableTicket: Ticket = 0
  var events: [RingEvent] = []
  /// Why no records are taken for now.
  var degradation: SystemError?
  /// The time as the caller told it last.
  var now = MonotonicTime(nanoseconds: 0)
  var pendingSync: (request: SyncRequest, kind: PendingSync)?
  /// When the sync that is under way was handed out; nil while there is none. A card may stall for seconds: tell people
  /// when `now - syncStart` grows.
  package var syncStart: MonotonicTime? { pendingSync.map { _ in syncHandedOut } }
  var syncHandedOut = MonotonicTime(nanoseconds: 0)
  /// When a record was read last.
  var lastRead: MonotonicTime?
  /// When a sync that could not even be begun may be asked for again.
  var syncDelay = RetryTimer()
  var lastSyncNumber: UInt64 = 0
  var cursor = CursorState()
  var damagedKeeper: DamagedKeeper
  let checksums = ChecksumState()
  /// One record header, and zeros to pad a record with.
  let headerMemory = UnsafeMutableRawBufferPointer.allocate(byteCount: RecordHeader.byteCount + 8, alignment: 8)
  /// Sealed segments whose index is in memory or whose file is open, the least recently used first.
  var recentlyRead: [Segment] = []

  /// Opens the ring in a directory, or makes one; repairs what a crash or a hand has left, and says so in `recovery`.
  /// Takes the directory for this process. Blocks for as long as the disk takes.
  package static func open(_ storage: any Storage, _ options: RingOptions) throws(RingError) -> Ring {
    var opening = RingOpening(storage: storage, options: options)
    return try opening.open()
  }

  init(storage: any Storage, options: RingOptions, id: UInt64, superblock: Superblock, recovery: RecoveryReport) {
    (self.storage, self.options, self.id, self.recovery) = (storage, options, id, recovery)
    (epoch, byteCount, segmentByteCount) = (superblock.epoch, superblock.byteCount, superblock.segmentByteCount)
    damagedKeeper = DamagedKeeper(storage: storage)
    headerMemory.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { headerMemory.deallocate() }

  /// Closes all files and lets go of the directory. Flushes nothing: see `flush`.
  package func close() {
    for segment in Array(segments) + [spare].compactMap({ $0 }) { closeFile(of: segment) }
    if let file = cursor.file { storage.close(file) }
    cursor.file = nil
    storage.unlock()
  }

  /// What has happened since the last call.
  package func takeEvents() -> [RingEvent] {
    defer { events = [] }
    return events
  }

  /// Why no records are taken for now; nil while all is well.
  package var degraded: SystemError? { degradation }

  /// False when the directory was removed or replaced while the ring was open. What is open can still be read; to write
  /// again, close this ring and open one on the directory that is there now.
  package var isPresent: Bool { storage.isPresent }

  /// The segments in use, for people: file, generation, where the records end, and what may happen to it.
  package var segmentList: String {
    (Array(segments) + [spare].compactMap { $0 }).map {
      "\($0.name) \($0.generation) \($0.state) \($0.durableEnd)/\($0.end)"
    }
    .joined(separator: ", ")
  }

  /// The files that hold records, the oldest first.
  package var segmentFiles: [String] { segments.map(\.name) }
  /// The file of the newest segment that is complete.
  package var newestSealedFile: String? { segments.last { $0.state == .sealed }?.name }

  // MARK: Streams

  /// Where a stream's consumption stands.
  package func cursor(of stream: StreamID) -> CursorEntry { streams[stream.number]?.cursor ?? CursorEntry() }

  /// The newest key of a stream that the ring has seen, whether it still has the record or not.
  package func lastKey(of stream: StreamID) -> RecordKey { streams[stream.number]?.last.key ?? .zero }

  /// Whether everything in the ring is finished.
  package var isEmpty: Bool { streams.values.allSatisfy { $0.last.key <= $0.cursor.finished.key } }

  /// Bytes of segments that hold something not finished, of all that may.
  package var usedByteCount: Int {
    segments.count { !$0.isFinished(finishedKey) } * segmentByteCount
  }

  /// Bytes of all segments that can be written.
  package var capacity: Int {
    (segments.count { !$0.isBad } + freeFiles.count + (spare == nil || spareHolds != nil ? 0 : 1)) * segmentByteCount
  }

  func finishedKey(_ stream: UInt16) -> RecordKey { streams[stream]?.cursor.finished.key ?? .zero }
}
