import Posix
import RingSimulation
import Testing

@testable import DiskRing

/// A ring after a power cut, with one byte flipped: never a crash, never a wrong byte, at most the touched record (or the
/// index of its segment) is reported.
@Suite struct RotTests {
  static let recordCount = 60

  @Test func oneFlippedByteCostsOneRecord() throws {
    let disk = try diskAfterACrash()
    let options = self.options
    let whole = try survivors(of: disk.copy(), options)
    #expect(whole.keys.count == Self.recordCount && whole.gap == 0)
    var random = SeededRandom(seed: 42)
    for round in 0..<1_000 {
      let copy = disk.copy()
      let place = copy.flipAnywhere(&random)
      let left = try survivors(of: copy, options)
      #expect(left.wrong == 0, "round \(round): wrong bytes after \(place)")
      #expect(whole.keys.count - left.keys.count <= 1, "round \(round): \(place) cost more than a record")
      // All records are keyframes: what is missing is exactly what is told, but for the newest record of all, behind
      // which nothing is left to count by; that one is in the report.
      if left.keys.count + left.gap != whole.keys.count {
        #expect(left.isTold, "round \(round): \(place) is not told")
      }
    }
  }

  private var options: RingOptions {
    RingOptions(size: .bytes(1 << 20 + 6 << 15), segmentByteCount: 32 << 10, minimumEpoch: 9, newRingID: 77)
  }

  private func diskAfterACrash() throws -> SimulatedStorage {
    let storage = SimulatedStorage(seed: 3)
    let ring = try Ring.open(storage, options)
    let stream = try ring.register(StreamDescription(name: "gate", topic: "t"))
    for sequence in 1...Self.recordCount { try spill(ring, stream, sequence % 20 + 1, as: sequence) }
    ring.flush(now: .start)
    storage.crash()
    return storage
  }

  private struct Survivors {
    var keys: [UInt64] = []
    var gap = 0
    var wrong = 0
    var isTold = false
  }

  private func survivors(of storage: SimulatedStorage, _ options: RingOptions) throws -> Survivors {
    let ring = try Ring.open(storage, options)
    let stream = try ring.register(StreamDescription(name: "gate", topic: "t"))
    var left = Survivors()
    left.isTold = !ring.recovery.findings.isEmpty
    var mark = Mark.start
    while true {
      switch ring.next(in: stream, after: mark) {
      case .record(let record, let gap):
        switch ring.read(record) {
        case .bytes(let bytes):
          left.keys.append(record.key.sequence)
          left.gap += Int(gap?.count ?? 0)
          mark = record.mark
          if !bytes.payload.elementsEqual(payload(Int(record.key.sequence) % 20 + 1)) { left.wrong += 1 }
        case .damaged: left.isTold = true
        case .gone: Issue.record("\(record.key) is gone")
        }
      case .end(let gap, _):
        left.gap += Int(gap?.count ?? 0)
        return left
      }
    }
  }
}
