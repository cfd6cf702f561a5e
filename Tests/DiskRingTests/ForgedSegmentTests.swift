import Glibc
import Posix
import Testing

@testable import DiskRing

/// Segments whose checksums are right and whose numbers cannot be: whoever has the card in hand can write them. Opening and
/// reading end, what is appended later is not lost, and `verify` says that something is wrong.
@Suite final class ForgedSegmentTests {
  let directory = Scratch()
  let options = RingOptions(size: .bytes(1 << 20 + 6 << 15), segmentByteCount: 32 << 10, minimumEpoch: 100)
  let gate = StreamDescription(name: "gate", topic: "cameras")

  private func open() throws -> Ring { try Ring.open(try PosixStorage(path: directory.path), options) }

  /// Fills three segments and lets `forge` rewrite the index of the oldest.
  private func fill(forging forge: (inout [IndexEntry]) -> Void) throws {
    let ring = try open()
    let stream = try ring.register(gate)
    for sequence in 1...60 { try spill(ring, stream, sequence % 30 + 1, as: sequence, isKeyframe: sequence % 2 == 1) }
    ring.flush(now: .start)
    let oldest = try #require(ring.segments.first { $0.state == .sealed })
    let file = try ring.openFile(of: oldest)
    let trailer = try #require(try ring.storage.trailer(of: oldest, file))
    var entries = try #require(ring.index(of: oldest)).entries
    forge(&entries)
    var index = SegmentIndex()
    for entry in entries { index.add(entry) }
    let footer = Footer(
      index, identity: oldest.identity, dataStart: trailer.dataStart, dataEnd: trailer.dataEnd)
    try ring.storage.writeFooter(footer, to: file)
    ring.close()
  }

  /// How many records reading gives, at most 1,000.
  private func readCount() throws -> Int {
    let ring = try open()
    defer { ring.close() }
    let stream = try ring.register(gate)
    var (count, mark) = (0, ring.cursor(of: stream).finished)
    while count < 1_000, case .record(let record, _) = ring.next(in: stream, after: mark) {
      (count, mark) = (count + 1, record.mark)
    }
    return count
  }

  private func verifiesAsSound() throws -> Bool { try RingInspector(path: directory.path).verify().isSound }

  @Test func anUntouchedRingIsSound() throws {
    try fill { _ in }
    let (count, isSound) = (try readCount(), try verifiesAsSound())
    #expect(count == 60 && isSound)
  }

  /// A stream is searched by its keys.
  @Test func keysThatGoBack() throws {
    try fill { entries in
      let far = Mark(key: RecordKey(epoch: 100, sequence: 40), ordinal: 40)
      (entries[1].mark, entries[1].isKeyframe) = (far, false)
    }
    let isSound = try verifiesAsSound()
    let count = try readCount()
    #expect((59...60).contains(count) && !isSound)
  }

  /// What is appended later counts from them.
  @Test func ordinalsNearTheEnd() throws {
    try fill { entries in
      for index in entries.indices { entries[index].mark.ordinal = (1 << 62) - 100 + UInt64(index) }
    }
    let isSound = try verifiesAsSound()
    #expect(!isSound)
    var ring = try open()
    var stream = try ring.register(gate)
    for sequence in 1...3 { try spill(ring, stream, sequence) }
    ring.flush(now: .start)
    let epoch = ring.epoch
    ring.close()
    ring = try open()
    stream = try ring.register(gate)
    let left = ring.records(of: stream).count { $0.key.epoch == epoch }
    #expect(left == 3)
    ring.close()
  }

  /// Both ends are far from what a clock says; the bytes are sound, and verifying said so of the whole.
  @Test(arguments: [Int64.min, -1, .max])
  func timesThatCannotBe(time: Int64) throws {
    let ring = try open()
    let stream = try ring.register(gate)
    let record = NewRecord(
      stream: stream, key: RecordKey(epoch: ring.epoch, sequence: 1), isKeyframe: true, captureTime: time, metadata: [])
    while ring.append(record, payload: [], now: .start) == .notNow { ring.flush(now: .start) }
    ring.flush(now: .start)
    ring.close()
    let (count, isSound) = (try readCount(), try verifiesAsSound())
    #expect(count == 1 && !isSound, "it is read, and told")
  }

  /// An index that says other things than the records.
  @Test func timesThatAreNotTheRecords() throws {
    try fill { entries in entries[2].captureTime += 1 }
    let isSound = try verifiesAsSound()
    #expect(!isSound)
  }
}
