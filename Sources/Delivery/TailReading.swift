import Frames
import Posix
import Records

// What of ours lies in a partition already, behind the last place that is known to be finished: a pure state machine over
// the records of one partition. A process that died may have sent more than it wrote down, and what it sent may still be
// on its way into the partition; others write there, too. So it is read to its end, and on until nothing of ours came for
// a while, within bounds of time, bytes and memory.

/// Reads the tail of one partition.
struct TailReading {
  struct Limits: Sendable {
    /// Nothing of ours for so long at the end of the partition: nothing more is on its way.
    var quiet = Duration.seconds(1)
    var longest = Duration.seconds(30)
    var byteCount = 256 << 20
    /// Frames of ours that are remembered.
    var frameCount = 50_000
  }

  /// How it ended.
  enum Outcome: Equatable {
    case complete
    /// Before its end, for the sake of a limit: what was found counts, what was not will be sent again.
    case cut(String)
  }

  private let identity: GatewayIdentity
  /// All ring ids of frames of ours, as text.
  private let ringIDs: Set<String>
  private let end: Int64
  private let limits: Limits
  private let started: MonotonicTime
  private var byteCount = 0
  private var frameCount = 0
  /// When the end was reached; nil before.
  private var endTime: MonotonicTime?
  private var lastOwnTime: MonotonicTime?
  /// Frames of which the first parts were seen.
  private var parts: [Parts: PartAssembly] = [:]
  /// What lies under the ids of our frames, by the key of the records: the frames, or what others wrote in their names.
  private(set) var found: [String: [FrameID: [RecordedFrame]]] = [:]
  /// Keys with records of this run or a later one. While this run has sent none, another copy of the ring has.
  private(set) var repeatedKeys: Set<String> = []
  /// When the cluster was last heard of.
  private(set) var lastAnswer: MonotonicTime

  /// Different frames of one id that are remembered, and frames in parts that are put together at the same time.
  static let likenessLimit = 8
  static let assemblyLimit = 256

  /// A frame that was cut into so many parts; sent again it may be cut into more.
  private struct Parts: Hashable {
    var key: String
    var frame: FrameID
    var count: Int
  }

  /// `end`: the offset that the partition's next record would have got when the reading began.
  init(identity: GatewayIdentity, end: Int64, limits: Limits, now: MonotonicTime) {
    (self.identity, self.end, self.limits) = (identity, end, limits)
    ringIDs = Set(identity.ringIDs.all.map(hexadecimal))
    (started, lastAnswer) = (now, now)
  }

  /// The next record of the partition.
  mutating func take(
    offset: Int64, value: UnsafeRawBufferPointer, key: String, headers: [RecordHeader],
    now: MonotonicTime
  ) {
    byteCount += value.count
    lastAnswer = now
    if offset + 1 >= end { endTime = endTime ?? now }
    guard let id = headers.first(where: { $0.name == HeaderName.id })?.value, let frame = ownFrame(id) else { return }
    lastOwnTime = now
    if frame.ringID == identity.ringIDText, frame.epoch >= identity.epoch { repeatedKeys.insert(key) }
    let chunk = headers.first { $0.name == HeaderName.chunk }?.value
    let whole = chunk.map { assemble($0, key, frame, value, offset: offset) } ?? FrameFingerprint(value)
    if let whole { remember(RecordedFrame(fingerprint: whole, offset: offset), as: frame, key) }
  }

  private mutating func remember(_ record: RecordedFrame, as frame: FrameID, _ key: String) {
    var likenesses = found[key]?[frame] ?? []
    if let index = likenesses.firstIndex(where: { $0.fingerprint == record.fingerprint }) {
      likenesses[index] = record
    } else if likenesses.count < TailReading.likenessLimit {
      likenesses.append(record)
      frameCount += 1
    }
    found[key, default: [:]][frame] = likenesses
  }

  /// Nothing more lies in the partition at this moment.
  mutating func reachedEnd(now: MonotonicTime) { (endTime, lastAnswer) = (endTime ?? now, now) }

  /// How it ended; nil while it goes on.
  func outcome(now: MonotonicTime) -> Outcome? {
    if let endTime, now - max(endTime, lastOwnTime ?? endTime) >= limits.quiet { return .complete }
    if byteCount > limits.byteCount { return .cut("after \(limits.byteCount >> 20) MiB") }
    if frameCount + parts.count >= limits.frameCount { return .cut("after \(limits.frameCount) frames") }
    return now - started >= limits.longest ? .cut("after \(limits.longest.components.seconds) s") : nil
  }

  /// The id of a frame of this ring, whichever run sent it; nil for others.
  private func ownFrame(_ text: String) -> FrameID? {
    guard var id = FrameID(text), let index = ringIDs.firstIndex(of: id.ringID) else { return nil }
    // All share one text.
    id.ringID = ringIDs[index]
    return id
  }

  /// Takes part `<k>/<n>`; the whole frame when it was the last one.
  private mutating func assemble(
    _ chunk: String, _ key: String, _ frame: FrameID, _ value: UnsafeRawBufferPointer, offset: Int64
  ) -> FrameFingerprint? {
    guard let (number, count) = FramePart.numbers(chunk) else { return nil }
    let group = Parts(key: key, frame: frame, count: count)
    if parts[group] == nil {
      // Parts are sent one behind another: what comes without its first one is of no use.
      guard number == 1 else { return nil }
      if parts.count >= TailReading.assemblyLimit, let oldest = parts.min(by: { $0.value.offset < $1.value.offset }) {
        parts[oldest.key] = nil
      }
      parts[group] = PartAssembly(partCount: count)
    }
    guard let whole = parts[group]?.take(number, value, offset: offset) else { return nil }
    parts[group] = nil
    return whole
  }
}
