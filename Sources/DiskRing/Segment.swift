import Posix

// A segment file as the ring sees it while it runs.

/// One use of one segment file. Only the ring touches it.
final class Segment {
  enum State: Equatable {
    /// The header is written and not durable: no record may be in it.
    case preparing
    /// Records are appended, or will be.
    case open
    /// Takes no more records; some are not durable.
    case closing
    /// All records are durable, the footer is written and not durable.
    case footing
    /// Takes no more records and owes nothing.
    case sealed
  }

  let name: String
  let identity: SegmentIdentity
  let salt: UInt64
  let dataStart: Int
  var state: State {
    didSet { if state == .sealed { pack() } else { unpack() } }
  }
  /// The file failed: read what is in it, never write it again.
  var isBad = false
  /// Its footer is on disk, sound and durable.
  var hasFooter = false
  var file: FileNumber?
  /// Where the next record goes.
  var end: Int
  /// Everything in front of here is durable.
  var durableEnd: Int
  /// The last ticket that was given for a record in here.
  var lastTicket: Ticket = 0
  /// All frames; nil for a sealed segment that nobody reads.
  var index: SegmentIndex?
  /// The sums of all frames, while it takes records.
  private var openSums: [UInt16: StreamSummary] = [:]
  /// The same once it is sealed.
  private var packedSums: PackedSums?
  /// A stream that was found to have records that are not finished.
  private var unfinished: (stream: UInt16, last: RecordKey)?
  private var isKnownFinished = false
  /// Streams that the header or a declaration in here describes.
  var declared: Set<UInt16> = []
  /// Records that turned out to be damaged, by offset: the footer still lists them.
  var lostOffsets: Set<Int> = []
  /// Since when footer or records cannot be read as a whole, and when that is tried again.
  var readTimer = RetryTimer()
  /// The same for single records, by offset.
  var heldRecords: [Int: RetryTimer] = [:]
  /// When the oldest record that is not durable was written.
  var oldestUndurable: MonotonicTime?

  var generation: UInt64 { identity.generation }
  var byteCount: Int { Int(identity.segmentByteCount) }

  init(name: String, identity: SegmentIdentity, dataStart: Int, state: State, salt: UInt64) {
    (self.name, self.identity, self.dataStart, self.state, self.salt) = (name, identity, dataStart, state, salt)
    (end, durableEnd) = (dataStart, dataStart)
  }

  /// Whether records that take `byteCount` bytes and one more entry of `stream` leave room for the footer.
  func hasRoom(byteCount: Int, entries: Int, stream: UInt16) -> Bool {
    let streams = streamCount + (summary(of: stream) == nil ? 1 : 0)
    let entries = (index?.count ?? 0) + entries
    return entries <= Segment.largestEntryCount
      && end + byteCount + Footer.byteCount(entries: entries, streams: streams) <= self.byteCount
  }

  /// A segment with more records is sealed early, so that an index never takes more than 6 MiB of memory.
  static let largestEntryCount = 1 << 16

  /// Adds a record behind all others; only while it takes records.
  func add(_ entry: IndexEntry) {
    index?.add(entry)
    if openSums[entry.stream] == nil {
      openSums[entry.stream] = StreamSummary(entry)
    } else {
      openSums[entry.stream]?.add(entry)
    }
  }

  // MARK: Sums

  /// The sums of all frames, by stream.
  var summaries: [UInt16: StreamSummary] {
    get {
      guard let packedSums else { return openSums }
      var sums: [UInt16: StreamSummary] = [:]
      packedSums.forEach { sums[$0] = $1 }
      return sums
    }
    set {
      (openSums, packedSums, unfinished, isKnownFinished) = (newValue, nil, nil, false)
      if state == .sealed { pack() }
    }
  }

  /// Takes the sums of a sealed segment from its footer.
  func adopt(_ sums: PackedSums) { (openSums, packedSums, hasFooter) = ([:], sums, true) }

  private func pack() {
    guard packedSums == nil else { return }
    (packedSums, openSums) = (PackedSums(openSums, epoch: identity.epoch), [:])
  }

  private func unpack() {
    guard packedSums != nil else { return }
    (openSums, packedSums) = (summaries, nil)
  }

  /// How many streams have frames in here.
  var streamCount: Int { packedSums?.count ?? openSums.count }

  /// The sums of one stream's frames; nil when it has none.
  func summary(of stream: UInt16) -> StreamSummary? {
    if let packedSums { return packedSums[stream] }
    return openSums[stream]
  }

  /// Each stream's sums, in the order of the streams' numbers.
  func forEachSummary(_ body: (UInt16, StreamSummary) -> Void) {
    if let packedSums { return packedSums.forEach(body) }
    for (stream, sum) in openSums.sorted(by: { $0.key < $1.key }) { body(stream, sum) }
  }

  /// Forgets the records from `offset` on.
  func cut(at offset: Int) {
    index?.remove { $0.offset >= offset }
    summaries = index?.summaries ?? summaries
    (end, durableEnd, oldestUndurable) = (offset, offset, nil)
  }

  /// Since when something in here cannot be read; nil when all can, as far as is known.
  var unreadableSince: MonotonicTime? {
    ([readTimer.since] + heldRecords.values.map(\.since)).compactMap { $0 }.min()
  }

  /// When reading is tried again; nil when there is no reason to.
  var retryTime: MonotonicTime? { ([readTimer.time] + heldRecords.values.map(\.time)).compactMap { $0 }.min() }

  /// Whether every record in here is finished.
  func isFinished(_ finished: (UInt16) -> RecordKey) -> Bool {
    // What is finished stays so: mostly, one look at what was not the last time is enough.
    if isKnownFinished { return true }
    if let unfinished, unfinished.last > finished(unfinished.stream) { return false }
    unfinished = nil
    forEachSummary { stream, sum in
      if unfinished == nil, sum.last.key > finished(stream) { unfinished = (stream, sum.last.key) }
    }
    isKnownFinished = unfinished == nil && state == .sealed
    return unfinished == nil
  }

  static func fileName(slot: UInt32) -> String {
    let digits = String(slot)
    return "segment-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  /// The slot that a file name stands for; nil when it is none of a segment.
  static func slot(ofFile name: String) -> UInt32? {
    guard name.hasPrefix("segment-") else { return nil }
    return UInt32(name.dropFirst(8)).flatMap { fileName(slot: $0) == name ? $0 : nil }
  }
}
