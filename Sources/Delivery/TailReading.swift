import Frames
import Posix

// What of ours lies in a partition already, behind the last place that is known to be finished: a pure state machine over
// the records of one partition. A process that died may have sent more than it wrote down, and what it sent may still be
// on its way into the partition; others write there, too. So it is read to its end, and on until nothing of ours came for
// a while, within bounds of time, bytes and memory.

/// A frame of this gateway's ring, whichever run sent it.
struct SentFrame: Hashable, Comparable, Sendable {
  var epoch: UInt64
  var sequence: UInt64

  static func < (left: SentFrame, right: SentFrame) -> Bool {
    (left.epoch, left.sequence) < (right.epoch, right.sequence)
  }
}

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

  private let ringID: String
  private let end: Int64
  private let limits: Limits
  private let started: MonotonicTime
  private var byteCount = 0
  private var frameCount = 0
  /// When the end was reached; nil before.
  private var endTime: MonotonicTime?
  private var lastOwnTime: MonotonicTime?
  /// Parts seen of frames of which not all were.
  private var parts: [Parts: Set<Int>] = [:]
  /// The frames of ours, by the key of their records, and the offset of each (of its last part).
  private(set) var found: [String: [SentFrame: Int64]] = [:]
  /// When the cluster was last heard of.
  private(set) var lastAnswer: MonotonicTime

  /// A frame that was cut into so many parts; sent again it may be cut into more.
  private struct Parts: Hashable {
    var key: String
    var frame: SentFrame
    var count: Int
  }

  /// `end`: the offset that the partition's next record would have got when the reading began.
  init(ringID: UInt64, end: Int64, limits: Limits, now: MonotonicTime) {
    (self.ringID, self.end, self.limits) = (hexadecimal(ringID), end, limits)
    (started, lastAnswer) = (now, now)
  }

  /// The next record of the partition.
  mutating func take(
    offset: Int64, byteCount: Int, key: String, headers: [(name: String, value: String)], now: MonotonicTime
  ) {
    self.byteCount += byteCount
    lastAnswer = now
    if offset + 1 >= end { endTime = endTime ?? now }
    guard let id = headers.first(where: { $0.name == "ce_id" })?.value, let frame = ownFrame(id) else { return }
    lastOwnTime = now
    if let chunk = headers.first(where: { $0.name == "ce_chunk" })?.value {
      guard isWhole(chunk, key, frame) else { return }
    }
    if found[key, default: [:]].updateValue(offset, forKey: frame) == nil { frameCount += 1 }
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

  /// `<ring id>-<epoch>-<sequence>`, with `.<k>` behind it for a part.
  private func ownFrame(_ id: String) -> SentFrame? {
    let fields = id.split(separator: "-", omittingEmptySubsequences: false)
    guard fields.count == 3, fields[0] == ringID, let epoch = UInt64(fields[1]),
      let sequence = UInt64(fields[2].prefix { $0 != "." })
    else { return nil }
    return SentFrame(epoch: epoch, sequence: sequence)
  }

  /// Takes note of part `<k>/<n>`; true when it was the last that was missing.
  private mutating func isWhole(_ chunk: String, _ key: String, _ frame: SentFrame) -> Bool {
    let numbers = chunk.split(separator: "/").compactMap { Int($0) }
    guard numbers.count == 2, (1...max(1, numbers[1])).contains(numbers[0]) else { return false }
    let group = Parts(key: key, frame: frame, count: numbers[1])
    parts[group, default: []].insert(numbers[0])
    guard parts[group]?.count == numbers[1] else { return false }
    parts[group] = nil
    return true
  }
}

/// 16 digits.
func hexadecimal(_ number: UInt64) -> String {
  let digits = String(number, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
