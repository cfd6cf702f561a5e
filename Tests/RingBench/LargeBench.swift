import DiskRing
import Glibc
import Posix

// What a large ring costs that holds records of many lanes in every segment: opening it, finding the next record behind
// a place far from its beginning, and keeping it in memory. Nine tenths of it are finished.

struct LargeBench {
  let path: String
  let segmentCount: Int
  let segmentByteCount: Int
  static let laneCount = 64
  /// So many records are asked for in a lane, so often.
  private static let (recordsPerLane, rounds) = (4, 10)

  private var options: RingOptions {
    RingOptions(
      size: .bytes(1 << 20 + segmentCount * segmentByteCount), segmentByteCount: segmentByteCount, minimumEpoch: 1)
  }

  private func lanes(_ ring: Ring) throws -> [StreamID] {
    try (0..<LargeBench.laneCount).map {
      try ring.register(StreamDescription(name: "camera-\($0)", topic: "cameras"))
    }
  }

  /// Fills it to its last segment but a half; a segment takes one record of each lane, or a few more.
  func fill() throws {
    let ring = try Ring.open(try SparseStorage(path: path), options)
    let lanes = try lanes(ring)
    // Headers, index and sums take some of it.
    let payload = [UInt8](repeating: 0, count: (segmentByteCount - segmentByteCount / 32) / lanes.count - 512)
    for sequence in 1..<segmentCount {
      for lane in lanes { try append(ring, lane, sequence, payload) }
    }
    for lane in lanes.prefix(lanes.count / 2) { try append(ring, lane, segmentCount, payload) }
    let finishedCount = UInt64(segmentCount * 9 / 10)
    let before = RecordKey(epoch: ring.epoch, sequence: finishedCount - 1)
    for lane in lanes {
      guard let last = ring.records(of: lane, after: before).first
      else { continue }
      ring.finish(lane, through: last.mark, position: LogPosition(partition: 0, offset: Int64(finishedCount)))
    }
    ring.flush(now: .now())
    usleep(1_100_000)
    ring.flush(now: .now())
    ring.close()
  }

  /// Opens it once, then asks for the next records of all lanes by turns, again and again from where they are finished.
  func open() throws {
    // Asked of the system, wherever it came from.
    let readBefore = try processFigure("io", "rchar:")
    let started = MonotonicTime.now()
    let ring = try Ring.open(try SparseStorage(path: path), options)
    let seconds = (MonotonicTime.now() - started).inSeconds
    let readMebibytes = Double(try processFigure("io", "rchar:") - readBefore) / Double(1 << 20)
    let lanes = try lanes(ring)
    var found = 0
    let asking = MonotonicTime.now()
    for _ in 0..<LargeBench.rounds {
      var marks = lanes.map { ring.cursor(of: $0).finished }
      for _ in 0..<LargeBench.recordsPerLane {
        for (index, lane) in lanes.enumerated() {
          guard case .record(let record, nil) = ring.next(in: lane, after: marks[index]) else { continue }
          (marks[index], found) = (record.mark, found + 1)
        }
      }
    }
    let asked = (MonotonicTime.now() - asking).inSeconds
    var line = JSONObject()
    line.add("seconds", seconds)
    line.add("read_mib", readMebibytes)
    line.add("next_microseconds", asked / Double(max(found, 1)) * 1e6)
    line.add("found", found)
    line.add("rss_mib", Double(try processFigure("status", "VmHWM:")) / 1_024)
    print(line.text)
    ring.close()
  }
}
