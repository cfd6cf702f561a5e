import Backlog
import Broker

// Which record belongs to which frame. A frame is finished when the last of its records is; one that failed fails it.

/// Frames under way, each as one or several records.
struct InFlight {
  private struct Pending {
    var entry: Entry
    /// Records that are to be sent or were not reported on.
    var openCount: Int
    var error: BrokerError?
  }

  /// What a report says of a frame.
  struct Report {
    var entry: Entry
    var error: BrokerError?
  }

  private var frames: [UInt: Pending] = [:]
  private var records: [UInt: (frame: UInt, byteCount: Int)] = [:]
  private var nextID: UInt = 1

  var frameCount: Int { frames.count }
  var isEmpty: Bool { frames.isEmpty }

  /// A frame will be sent as so many records. Returns the number it goes by here.
  mutating func begin(_ entry: Entry, recordCount: Int) -> UInt {
    defer { nextID += 1 }
    frames[nextID] = Pending(entry: entry, openCount: recordCount)
    return nextID
  }

  /// One of its records goes out. Returns the record's id.
  mutating func send(_ byteCount: Int, of frame: UInt) -> UInt {
    defer { nextID += 1 }
    records[nextID] = (frame, byteCount)
    return nextID
  }

  /// The bytes of a record under way; nil for one that is not.
  func byteCount(of record: UInt) -> Int? { records[record]?.byteCount }

  /// The report on a record; returns what became of its frame when that was the last one.
  mutating func reported(_ record: UInt, _ error: BrokerError?) -> Report? {
    guard let frame = records.removeValue(forKey: record)?.frame else { return nil }
    return close(1, of: frame, error)
  }

  /// The last `count` records of a frame are not sent at all.
  mutating func abandon(_ count: Int, of frame: UInt, _ error: BrokerError) -> Report? {
    close(count, of: frame, error)
  }

  private mutating func close(_ count: Int, of frame: UInt, _ error: BrokerError?) -> Report? {
    guard var pending = frames[frame] else { return nil }
    pending.openCount -= count
    if let error, error.weight > pending.error?.weight ?? 0 { pending.error = error }
    frames[frame] = pending.openCount == 0 ? nil : pending
    return pending.openCount == 0 ? Report(entry: pending.entry, error: pending.error) : nil
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
