import Glibc
import Posix
import Testing

@testable import DiskRing

/// A ring in a real directory.
@Suite final class RingTests {
  let directory = Scratch()
  let options = RingOptions(size: .bytes(1 << 20 + 6 << 22), segmentByteCount: 4 << 20, minimumEpoch: 100)
  let gate = StreamDescription(name: "gate", topic: "cameras")

  func open() throws -> Ring { try Ring.open(try PosixStorage(path: directory.path), options) }

  @Test func whatIsWrittenIsReadAfterARestart() throws {
    var ring = try open()
    #expect(ring.epoch == 100 && ring.recovery.isNew)
    var stream = try ring.register(gate)
    for sequence in 1...20 { try spill(ring, stream, sequence) }
    #expect(ring.flush(now: .start))
    ring.finish(
      stream, through: Mark(key: RecordKey(epoch: 100, sequence: 5), ordinal: 5),
      position: LogPosition(partition: 3, offset: 77))
    #expect(ring.flush(now: .start))
    ring.close()

    ring = try open()
    #expect(ring.epoch == 101 && !ring.recovery.isNew && !ring.recovery.hasDamage)
    stream = try ring.register(gate)
    #expect(ring.cursor(of: stream).position == LogPosition(partition: 3, offset: 77))
    #expect(ring.inventory.map(\.recordCount) == [15])
    #expect(read(ring, stream) == (6...20).map { payload($0) })
    ring.close()
  }
}

extension MonotonicTime {
  static let start = MonotonicTime(nanoseconds: 0)
}

func payload(_ sequence: Int) -> [UInt8] { (0..<(sequence * 100)).map { UInt8(truncatingIfNeeded: $0 ^ sequence) } }

/// Appends a record, syncing where the ring waits for it.
func spill(
  _ ring: Ring, _ stream: StreamID, _ size: Int, as sequence: Int? = nil, isKeyframe: Bool = true
) throws {
  let sequence = sequence ?? size
  let record = NewRecord(
    stream: stream, key: RecordKey(epoch: ring.epoch, sequence: UInt64(sequence)), isKeyframe: isKeyframe,
    captureTime: Int64(sequence), metadata: [1, 2, 3])
  let bytes = payload(size)
  for _ in 0..<3 {
    let result = bytes.withUnsafeBytes { ring.append(record, payload: [$0], now: .start) }
    if case .written = result { return }
    try #require(result == .notNow)
    ring.flush(now: .start)
  }
  Issue.record("the ring does not take record \(sequence)")
}

/// All payloads of a stream that are not finished.
func read(_ ring: Ring, _ stream: StreamID) -> [[UInt8]] {
  var payloads: [[UInt8]] = []
  var mark = ring.cursor(of: stream).finished
  while case .record(let record, _) = ring.next(in: stream, after: mark) {
    if case .bytes(let bytes) = ring.read(record) {
      payloads.append(Array(bytes.payload))
      mark = record.mark
    }
  }
  return payloads
}

/// A directory that is removed with the last reference.
final class Scratch {
  let path: String

  init() {
    var template = Array("/tmp/camgate-ring-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }

  deinit {
    for name in names { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  var names: [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { names.append(String(cString: $0)) }
      }
    }
    return names.filter { $0 != "." && $0 != ".." }.sorted()
  }
}
