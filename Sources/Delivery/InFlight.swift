import Backlog
import Broker
import Posix

// Which record belongs to which frame. A frame is finished when the last of its records is; one that failed fails it.

/// Frames under way, each as one or several records.
struct InFlight {
  private struct Pending {
    var entry: Entry
    /// Records that are to be sent or were not reported on.
    var openCount: Int
    var error: BrokerError?
    var position: RecordPosition?
    let isBackfill: Bool
    /// It is to show whether its topic takes records.
    let isProbe: Bool
  }

  /// What a report says of a frame.
  struct Report {
    var entry: Entry
    var error: BrokerError?
    /// Where its last record lies, if the broker said so.
    var position: RecordPosition?
    /// It had to wait while newer ones were sent.
    var isBackfill = false
    /// It was sent to see whether its topic takes records.
    var isProbe = false
  }

  private var frames: [UInt: Pending] = [:]
  private struct Record {
    var frame: UInt
    var byteCount: Int
    /// nil when some of a backlog was under way at the time.
    var lonelySendTime: MonotonicTime?
  }

  private var records: [UInt: Record] = [:]
  private var nextID: UInt = 1
  /// Bytes under way of frames that had to wait while newer ones were sent.
  private(set) var backfillByteCount = 0
  /// Bytes of memory that frames under way keep.
  private(set) var memoryBytes = 0
  /// Frames that are to show whether their topic takes records.
  private(set) var probeCount = 0

  var frameCount: Int { frames.count }
  var isEmpty: Bool { frames.isEmpty }
  /// Whether the producer that topics share has nothing to report any more.
  var isSharedEmpty: Bool { frames.count == probeCount }

  /// A frame will be sent as so many records. Returns the number it goes by here.
  mutating func begin(_ entry: Entry, recordCount: Int, isBackfill: Bool = false, isProbe: Bool = false) -> UInt {
    defer { nextID += 1 }
    if isProbe { probeCount += 1 }
    memoryBytes += entry.byteCount
    frames[nextID] = Pending(entry: entry, openCount: recordCount, isBackfill: isBackfill, isProbe: isProbe)
    return nextID
  }

  /// One of its records goes out. Returns the record's id.
  mutating func send(_ byteCount: Int, of frame: UInt, now: MonotonicTime) -> UInt {
    defer { nextID += 1 }
    records[nextID] = Record(
      frame: frame, byteCount: byteCount, lonelySendTime: backfillByteCount == 0 ? now : nil)
    if frames[frame]?.isBackfill == true { backfillByteCount += byteCount }
    return nextID
  }

  /// The bytes of a record under way; nil for one that is not.
  func byteCount(of record: UInt) -> Int? { records[record]?.byteCount }

  /// When a record was sent; nil when that says nothing about the link, because of a backlog in front of it.
  func lonelySendTime(of record: UInt) -> MonotonicTime? { records[record]?.lonelySendTime }

  /// Whether a record is to show that its topic takes records.
  func isProbe(_ record: UInt) -> Bool { records[record].map { frames[$0.frame]?.isProbe == true } ?? false }

  /// The lane of a record under way; nil for one that is not.
  func lane(of record: UInt) -> Lane? { records[record].flatMap { frames[$0.frame]?.entry.lane } }

  /// The report on a record; returns what became of its frame when that was the last one.
  mutating func reported(_ record: UInt, _ error: BrokerError?, at position: RecordPosition? = nil) -> Report? {
    guard let record = records.removeValue(forKey: record) else { return nil }
    if frames[record.frame]?.isBackfill == true { backfillByteCount -= record.byteCount }
    if let position { frames[record.frame]?.position = position }
    return close(1, of: record.frame, error)
  }

  /// The last `count` records of a frame are not sent at all.
  mutating func abandon(_ count: Int, of frame: UInt, _ error: BrokerError) -> Report? {
    close(count, of: frame, error)
  }

  private func report(_ frame: Pending) -> Report {
    Report(
      entry: frame.entry, error: frame.error, position: frame.position, isBackfill: frame.isBackfill,
      isProbe: frame.isProbe)
  }

  private mutating func close(_ count: Int, of frame: UInt, _ error: BrokerError?) -> Report? {
    guard var pending = frames[frame] else { return nil }
    pending.openCount -= count
    if let error, error.weight > pending.error?.weight ?? 0 { pending.error = error }
    frames[frame] = pending.openCount == 0 ? nil : pending
    if pending.openCount == 0, pending.isProbe { probeCount -= 1 }
    if pending.openCount == 0 { memoryBytes -= pending.entry.byteCount }
    return pending.openCount == 0 ? report(pending) : nil
  }
}

extension BrokerError {
  /// Which of several errors tells most about a frame: its own fault first, then what somebody must mend, and last that
  /// it was given up along with others.
  fileprivate var weight: Int {
    switch disposition {
    case .recreate: 1
    case .resend: 2
    case .hold: 3
    case .poison: 4
    }
  }
}
