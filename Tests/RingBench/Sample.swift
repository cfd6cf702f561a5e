import DiskRing
import Posix

// A ring whose bytes depend on nothing but this file: written on two kinds of machines, it must be the same on both.
// Two cameras, payloads of every alignment, more than fits, and some that is finished.

func writeSample(_ path: String) throws {
  let options = RingOptions(
    size: .bytes(24 << 20), segmentByteCount: 4 << 20, minimumEpoch: 1_700_000_000, newRingID: 0x0123_4567_89ab_cdef)
  let ring = try Ring.open(try PosixStorage(path: path), options)
  let cameras = try ["gate", "yard"].map { try ring.register(StreamDescription(name: $0, topic: "cameras")) }
  // One moment for all of it: how fast this machine is must not decide when it syncs.
  let now = MonotonicTime.now()
  for sequence in 1...4_000 {
    let payload = (0..<(4_000 + sequence * 7 % 5_000)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ sequence) }
    let camera = cameras[sequence % 2]
    let record = NewRecord(
      stream: camera, key: RecordKey(epoch: ring.epoch, sequence: UInt64(sequence)), isKeyframe: sequence % 30 < 2,
      captureTime: Int64(sequence) * 33_333_333, metadata: Array("frame \(sequence)".utf8))
    while payload.withUnsafeBytes({ ring.append(record, payload: [$0], now: now) }) == .notNow { ring.flush(now: now) }
    while let request = ring.nextSync(now: now) { ring.performSync(request) }
    if sequence % 400 == 0, case .record(let oldest, _) = ring.next(in: camera, after: ring.cursor(of: camera).finished)
    {
      ring.finish(camera, through: oldest.mark, position: LogPosition(partition: 1, offset: Int64(sequence)))
    }
  }
  ring.flush(now: now)
  ring.close()
}
