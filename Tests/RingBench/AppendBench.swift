import DiskRing
import Glibc
import Posix

// What appending costs beside what the disk costs anyway: the bare loop writes the same pieces to preallocated files of
// its own and syncs them at the same points. Rounds of both follow each other, so that a busy disk meets both.

struct AppendBench {
  let directory: String
  private static let frameByteCount = 20 << 10
  private static let framesPerRound = 4_000
  private static let rounds = 7
  private static let syncEvery = (4 << 20) / frameByteCount

  func run() throws {
    let path = directory + "/ring"
    mkdir(path, 0o755)
    let ring = try Ring.open(try PosixStorage(path: path), RingOptions(size: .bytes(1 << 30), minimumEpoch: 1))
    let stream = try ring.register(StreamDescription(name: "gate", topic: "cameras"))
    let payload = (0..<AppendBench.frameByteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let bare = try BareLoop(directory: directory)
    ring.flush(now: .now())
    var (sequence, ratios, ringRates): (Int, [Double], [Double]) = (0, [], [])
    var (written, payloadBytes, cursorWrites, elapsed): (UInt64, Int, UInt64, Double) = (0, 0, 0, 0)
    for round in 0...AppendBench.rounds {
      let bareSeconds = try time { for _ in 0..<AppendBench.framesPerRound { try bare.append(payload) } }
      let (before, cursorBefore) = (try writtenBytes(), ring.cursorWriteCount)
      let ringSeconds = try time {
        for _ in 0..<AppendBench.framesPerRound {
          sequence += 1
          try append(ring, stream, sequence, payload)
        }
        ring.flush(now: .now())
      }
      // The first round makes files and caches warm.
      if round == 0 { continue }
      written += try writtenBytes() - before
      payloadBytes += AppendBench.framesPerRound * payload.count
      cursorWrites += ring.cursorWriteCount - cursorBefore
      elapsed += ringSeconds
      ratios.append(bareSeconds / ringSeconds)
      ringRates.append(Double(AppendBench.framesPerRound * payload.count) / ringSeconds / 1e6)
    }
    var line = JSONObject()
    line.add("append_ratio", ratios.sorted()[ratios.count / 2])
    line.add("append_mb_per_second", ringRates.sorted()[ringRates.count / 2])
    line.add("write_amplification", Double(written) / Double(payloadBytes))
    line.add("cursor_writes_per_second", Double(cursorWrites) / max(elapsed, 1))
    print(line.text)
    ring.close()
  }

  private func time(_ body: () throws -> Void) rethrows -> Double {
    let started = MonotonicTime.now()
    try body()
    return (MonotonicTime.now() - started).inSeconds
  }

  /// `write_bytes` of this process (proc_pid_io(5)).
  private func writtenBytes() throws -> UInt64 {
    let text = String(decoding: try Files.read("/proc/self/io", limit: 4_096), as: UTF8.self)
    let line = text.split(separator: "\n").first { $0.hasPrefix("write_bytes: ") }
    return line.flatMap { UInt64($0.dropFirst(13)) } ?? 0
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

  deinit { for descriptor in files { close(descriptor) } }

  func append(_ payload: [UInt8]) throws {
    if offset + payload.count + 256 > BareLoop.fileByteCount {
      fdatasync(files[file])
      (file, offset, unsynced) = ((file + 1) % files.count, 0, 0)
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
    if unsynced >= 4 << 20 {
      fdatasync(files[file])
      unsynced = 0
    }
  }
}

extension Int {
  fileprivate var roundedUp8: Int { (self + 7) & ~7 }
}
