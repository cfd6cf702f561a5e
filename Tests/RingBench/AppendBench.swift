import DiskRing
import Glibc
import Posix

// What appending costs beside what the disk costs anyway: the bare loop writes the same pieces to preallocated files of
// its own and syncs them at the same points (every 4 MiB and at the end of a round; at the end of a file, after a page
// for its footer; at the beginning of the next, after a page for its header). Rounds of both follow each other, so that a busy disk meets both.

struct AppendBench {
  let directory: String
  private static let frameByteCount = 20 << 10
  private static let framesPerRound = 1_000
  private static let rounds = 31

  func run() throws {
    let path = directory + "/ring"
    mkdir(path, 0o755)
    let ring = try Ring.open(try PosixStorage(path: path), RingOptions(size: .bytes(1 << 30), minimumEpoch: 1))
    let stream = try ring.register(StreamDescription(name: "gate", topic: "cameras"))
    let payload = (0..<AppendBench.frameByteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let bare = try BareLoop(directory: directory)
    ring.flush(now: .now())
    var (sequence, ratios, ringRates): (Int, [Double], [Double]) = (0, [], [])
    var (written, payloadBytes): (UInt64, Int) = (0, 0)
    for round in 0...AppendBench.rounds {
      let appendBare = {
        try time {
          for _ in 0..<AppendBench.framesPerRound { try bare.append(payload) }
          bare.sync()
        }
      }
      let appendRing = {
        let before = try processFigure("io", "write_bytes:")
        let seconds = try time {
          for _ in 0..<AppendBench.framesPerRound {
            sequence += 1
            try append(ring, stream, sequence, payload)
          }
          ring.flush(now: .now())
        }
        written += round == 0 ? 0 : try processFigure("io", "write_bytes:") - before
        return seconds
      }
      // By turns, so that neither always has what the other has left to the disk.
      let isBareFirst = round % 2 == 0
      let first = try isBareFirst ? appendBare() : appendRing()
      let second = try isBareFirst ? appendRing() : appendBare()
      let (bareSeconds, ringSeconds) = isBareFirst ? (first, second) : (second, first)
      // The first round makes files and caches warm.
      if round == 0 { continue }
      payloadBytes += AppendBench.framesPerRound * payload.count
      ratios.append(bareSeconds / ringSeconds)
      ringRates.append(Double(AppendBench.framesPerRound * payload.count) / ringSeconds / 1e6)
    }
    var line = JSONObject()
    line.add("append_ratio", ratios.sorted()[ratios.count / 2])
    line.add("append_mb_per_second", ringRates.sorted()[ringRates.count / 2])
    line.add("write_amplification", Double(written) / Double(payloadBytes))
    line.add("cursor_writes_per_second", try cursorWritesPerSecond(ring, stream, from: sequence))
    print(line.text)
    ring.close()
  }

  /// Spills and finishes at 100 frames a second, for five seconds that begin with a write of the cursor.
  private func cursorWritesPerSecond(_ ring: Ring, _ stream: StreamID, from sequence: Int) throws -> Double {
    var (step, before) = (0, ring.cursorWriteCount)
    func work(until isOver: () -> Bool) throws {
      while !isOver() {
        step += 1
        try append(ring, stream, sequence + step, [UInt8](repeating: 1, count: 2_000))
        let key = RecordKey(epoch: ring.epoch, sequence: UInt64(sequence + step - 100))
        ring.finish(stream, throughUnstored: key, position: LogPosition(partition: 0, offset: Int64(step)))
        usleep(10_000)
      }
    }
    try work { ring.cursorWriteCount > before }
    before = ring.cursorWriteCount
    let end = MonotonicTime.now() + .seconds(5)
    let seconds = try time { try work { MonotonicTime.now() >= end } }
    return Double(ring.cursorWriteCount - before) / seconds
  }

  private func time(_ body: () throws -> Void) rethrows -> Double {
    let started = MonotonicTime.now()
    try body()
    return (MonotonicTime.now() - started).inSeconds
  }
}

/// The floor: pwritev and fdatasync on preallocated files, in a ring.
final class BareLoop {
  private var files: [Int32] = []
  private var (file, offset, unsynced) = (0, 0, 0)
  private let header = [UInt8](repeating: 1, count: 72)
  private let metadata = [UInt8](repeating: 7, count: 60)
  private static let fileByteCount = 32 << 20

  init(directory: String) throws {
    for number in 0..<31 {
      let descriptor = open("\(directory)/bare-\(number)", O_RDWR | O_CREAT, 0o600)
      try Files.allocate(descriptor, byteCount: BareLoop.fileByteCount)
      fdatasync(descriptor)
      files.append(descriptor)
    }
  }

  private let page = [UInt8](repeating: 3, count: 4_096)

  private func writePage(at offset: Int) {
    pwrite(files[file], page, page.count, offset)
    fdatasync(files[file])
  }

  deinit { for descriptor in files { close(descriptor) } }

  func append(_ payload: [UInt8]) throws {
    if offset + payload.count + 256 > BareLoop.fileByteCount - page.count {
      fdatasync(files[file])
      writePage(at: BareLoop.fileByteCount - page.count)
      (file, offset, unsynced) = ((file + 1) % files.count, page.count, 0)
      writePage(at: 0)
    }
    let count = header.withUnsafeBytes { header in
      metadata.withUnsafeBytes { metadata in
        payload.withUnsafeBytes { payload in
          let pieces = [header, metadata, payload].map {
            iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
          }
          return pwritev(files[file], pieces, 3, offset)
        }
      }
    }
    offset += count.roundedUp8
    unsynced += count
    if unsynced >= 4 << 20 { sync() }
  }

  func sync() {
    fdatasync(files[file])
    unsynced = 0
  }
}

extension Int {
  fileprivate var roundedUp8: Int { (self + 7) & ~7 }
}
