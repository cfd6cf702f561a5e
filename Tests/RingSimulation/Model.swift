import DiskRing
import Posix

// What a ring promises, said as simply as possible: a stream is a list of records, and those that are gone are counted.
// Nothing in here knows about segments, ordinals or checksums.

/// One stream as it should be.
struct StreamModel {
  struct Record {
    var key: RecordKey
    var isKeyframe: Bool
    var byteCount: Int
    var ticket: Ticket
    /// The ring said that it survives a crash.
    var isDurable = false
    /// The ring said that it was evicted, or damaged.
    var isGone = false
  }

  /// Everything behind `finished` that was written and not void, in order.
  var records: [Record] = []
  /// Records that a failed sync has made void, until others are written: a crash may bring them back.
  var void: [Record] = []
  /// Rot has eaten the end once, with nothing behind to count it by; an older cursor may count it after all.
  var isInexact = false
  /// What the caller has finished.
  var finished: RecordKey = .zero
  /// What the caller has ever finished: of that a crash may forget some, and rot of a footer bring it back.
  var everFinished: RecordKey = .zero
  /// What a durable cursor is known to say.
  var durableFinished: RecordKey = .zero
  /// What was finished when.
  var history: [(time: MonotonicTime, key: RecordKey)] = []
  /// The first record written into an empty ring, and what the durable cursor has to say when it is there.
  var spill: (first: RecordKey, finished: RecordKey)?
  /// The caller gave a position before the first record.
  var hasPosition = false

  mutating func finish(_ key: RecordKey, now: MonotonicTime) {
    finished = max(finished, key)
    everFinished = max(everFinished, finished)
    history.append((now, finished))
  }

  /// A record is written into an empty ring. The cursor in front of it is at most a second old.
  mutating func noteSpill(_ key: RecordKey, now: MonotonicTime) {
    let known = history.last { now - $0.time > .seconds(1) }
    spill = (key, known?.key ?? .zero)
  }

  /// Records behind the watermark.
  var pending: ArraySlice<Record> {
    let start = records.firstIndex { $0.key > finished } ?? records.endIndex
    return records[start...]
  }

  mutating func makeVoid(after ticket: Ticket) {
    void += records.filter { $0.ticket > ticket && !$0.isDurable }
    records.removeAll { $0.ticket > ticket && !$0.isDurable }
  }

  /// Void records came back, because power was cut before the ring could write down that they are void.
  mutating func reinstate(_ present: Set<RecordKey>) {
    if void.contains(where: { present.contains($0.key) }) {
      let known = Set(records.map(\.key))
      records = (records + void.filter { !known.contains($0.key) }).sorted { $0.key < $1.key }
    }
    void = []
  }

  /// Of the records behind the watermark up to `last`, those that are not there are gone.
  mutating func noteMissing(_ present: Set<RecordKey>, through last: RecordKey) {
    for index in pending.indices where records[index].key <= last && !present.contains(records[index].key) {
      records[index].isGone = true
    }
  }

  /// So many of the oldest that are not there made room while power was cut. A write that was torn in many pieces may have
  /// spared older ones.
  mutating func noteEvicted(_ count: UInt64, _ present: Set<RecordKey>) {
    for index in pending.indices.filter({ !present.contains(records[$0].key) }).prefix(Int(count)) {
      records[index].isGone = true
    }
  }

  /// How many records lie strictly between two keys.
  func count(between first: RecordKey, and last: RecordKey) -> UInt64 {
    UInt64(records.count { $0.key > first && $0.key < last })
  }

  /// The bytes of a record, which only depend on what it is.
  static func payload(stream: Int, _ key: RecordKey, byteCount: Int) -> [UInt8] {
    var random = SeededRandom(seed: key.epoch &* 1_000_003 &+ key.sequence &* 97 &+ UInt64(stream))
    return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      var index = 0
      while index < byteCount {
        let word = random.next()
        for shift in 0..<min(8, byteCount - index) {
          buffer[index + shift] = UInt8(truncatingIfNeeded: word >> (8 * shift))
        }
        index += 8
      }
      count = byteCount
    }
  }
}

/// Something a ring promised and did not keep.
package struct Violation: Error, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
