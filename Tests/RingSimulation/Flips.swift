import DiskRing
import Posix

// A ring directory after a power cut, with one byte flipped in one random place at a time: never a crash, never a wrong
// byte delivered, at most the touched record (or its segment's index) lost, and never silently.

package enum Flips {
  private static let recordCount = 60
  private static let start = MonotonicTime(nanoseconds: 0)
  private static var options: RingOptions {
    RingOptions(size: .bytes(1 << 20 + 6 << 15), segmentByteCount: 32 << 10, minimumEpoch: 9, newRingID: 77)
  }

  private struct Survivors {
    var keys: [UInt64] = []
    var missing = 0
    var isTold = false
  }

  /// Flips `count` bytes in turn; returns how many of them cost a record.
  package static func run(count: Int) throws -> Int {
    let disk = try diskAfterACrash()
    guard try survivors(of: disk.copy()).keys.count == recordCount else { throw Violation("records were lost before") }
    var random = SeededRandom(seed: 42)
    var costly = 0
    for round in 0..<count {
      let copy = disk.copy()
      let place = copy.flipAnywhere(&random)
      let left = try survivors(of: copy)
      let lost = recordCount - left.keys.count
      if lost > 1 { throw Violation("round \(round): \(place) cost \(lost) records") }
      // All records are keyframes: what is lost is exactly what is told. Only behind the newest of all nothing is left to
      // count by; that one is in the report.
      if lost != left.missing, !left.isTold { throw Violation("round \(round): \(place) is not told") }
      costly += lost
    }
    return costly
  }

  private static func byteCount(_ sequence: Int) -> Int { 100 + sequence % 20 * 100 }

  private static func diskAfterACrash() throws -> SimulatedStorage {
    let storage = SimulatedStorage(seed: 3)
    let ring = try Ring.open(storage, options)
    let stream = try ring.register(World.description(0))
    for sequence in 1...recordCount {
      let record = NewRecord(
        stream: stream, key: RecordKey(epoch: ring.epoch, sequence: UInt64(sequence)), isKeyframe: true,
        captureTime: 0, metadata: [1, 2, 3])
      let bytes = StreamModel.payload(stream: 0, record.key, byteCount: byteCount(sequence))
      while bytes.withUnsafeBytes({ ring.append(record, payload: [$0], now: start) }) == .notNow {
        ring.flush(now: start)
      }
    }
    ring.flush(now: start)
    storage.crash()
    return storage
  }

  private static func survivors(of storage: SimulatedStorage) throws -> Survivors {
    let ring = try Ring.open(storage, options)
    let stream = try ring.register(World.description(0))
    var left = Survivors()
    left.isTold = !ring.recovery.findings.isEmpty
    var mark = Mark.start
    while true {
      switch ring.next(in: stream, after: mark) {
      case .record(let record, let gap):
        guard case .bytes(let bytes) = ring.read(record) else {
          left.isTold = true
          continue
        }
        let expected = StreamModel.payload(
          stream: 0, record.key, byteCount: byteCount(Int(record.key.sequence)))
        guard bytes.payload.elementsEqual(expected) else { throw Violation("wrong bytes of \(record.key)") }
        left.keys.append(record.key.sequence)
        left.missing += Int(gap?.count ?? 0)
        mark = record.mark
      case .end(let gap, _):
        left.missing += Int(gap?.count ?? 0)
        return left
      case .held: throw Violation("held without an error")
      }
    }
  }
}
