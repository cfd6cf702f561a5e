import Glibc
import Posix
import RingSimulation
import Testing

@testable import DiskRing

/// A disk that fails for a while, or for good: nothing that was written before is given up for it.
@Suite struct FailingDiskTests {
  private let storage = SimulatedStorage(seed: 1)
  private let gate = StreamDescription(name: "gate", topic: "cameras")

  private func open(segments: Int = 5) throws -> (ring: Ring, stream: StreamID) {
    let size = RingOptions.Size.bytes(1 << 20 + segments << 15)
    var options = RingOptions(size: size, segmentByteCount: 32 << 10, minimumEpoch: 100)
    options.acceptsOneSlot = true
    let ring = try Ring.open(storage, options)
    return (ring, try ring.register(gate))
  }

  /// A ring with 90 durable records, which leave room for fifteen.
  private func filled(segments: Int = 5) throws -> (ring: Ring, stream: StreamID) {
    let (ring, stream) = try open(segments: segments)
    for sequence in 1...90 { try spill(ring, stream, 10, as: sequence) }
    ring.flush(now: .start)
    _ = ring.takeEvents()
    return (ring, stream)
  }

  /// Goes on appending, every five seconds, and syncs.
  private func goOn(_ ring: Ring, _ stream: StreamID, from first: Int, count: Int) -> [AppendResult] {
    let bytes = payload(10)
    return (0..<count).map { step in
      let now = MonotonicTime.start + .seconds(5 * (step + 1))
      ring.retry(now: now)
      let record = NewRecord(
        stream: stream, key: RecordKey(epoch: ring.epoch, sequence: UInt64(first + step)), isKeyframe: true,
        captureTime: 0, metadata: [])
      let result = bytes.withUnsafeBytes { ring.append(record, payload: [$0], now: now) }
      ring.flush(now: now)
      return result
    }
  }

  private func evictedCount(_ ring: Ring) -> UInt64 {
    ring.takeEvents().reduce(0) { sum, event in
      if case .evicted(_, let count, _, _) = event { sum + count } else { sum }
    }
  }

  @Test func aDiskThatNoLongerSyncsIsSentFrom() throws {
    let (ring, stream) = try filled()
    storage.faults.syncFails = 1_000
    let results = goOn(ring, stream, from: 1_000, count: 720)
    #expect(results.last == .degraded && ring.degraded != nil)
    #expect(evictedCount(ring) == 0)
    #expect(read(ring, stream).prefix(90).count == 90, "what is there is still sent")
    let failures = storage.strikes[.failedSync] ?? 0
    #expect(failures > 10 && failures < 200, "tried again at growing intervals: \(failures) times in an hour")
    ring.close()
    storage.crash()
    let (again, same) = try open()
    #expect(read(again, same).filter { $0 == payload(10) }.count >= 90)
    again.close()
  }

  @Test(arguments: [ENOSPC, EIO])
  func writesThatFailForAMomentAreTriedAgain(code: CInt) throws {
    let (ring, stream) = try filled()
    (storage.faults.writeFails, storage.faults.code) = (1_000, code)
    let results = goOn(ring, stream, from: 1_000, count: 20)
    #expect(results.last == .degraded && evictedCount(ring) == 0)
    #expect(read(ring, stream).count >= 90, "what was there is still there")
    storage.faults = SimulatedStorage.Faults()
    let later = goOn(ring, stream, from: 2_000, count: 60)
    #expect(ring.degraded == nil && later.last?.isWritten == true)
    ring.close()
  }

  @Test(arguments: [EACCES, EMFILE, EIO])
  func aFileThatCannotBeLookedAtIsKept(code: CInt) throws {
    let full = try filled(segments: 10).ring
    let files = full.segmentFiles
    full.close()
    for name in files {
      storage.endProcess()
      storage.shut[name] = code
      let (ring, stream) = try open(segments: 10)
      #expect(ring.recovery.unreadFiles == [name] && ring.recovery.segmentCount == 10)
      #expect(ring.recovery.mayBeReadSoon == (code != EACCES))
      // Also what is written meanwhile takes nothing from it.
      try spill(ring, stream, 10, as: 1)
      ring.flush(now: .start)
      ring.close()
    }
    storage.endProcess()
    let (ring, stream) = try open(segments: 10)
    #expect(ring.recovery.unreadFiles == [] && ring.recovery.counts[.missing] == nil)
    #expect(read(ring, stream).count == 90 + files.count)
    ring.close()
  }

  /// What is written while files cannot be read takes no generation that one of them has.
  @Test(arguments: [true, false]) func noGenerationIsUsedTwice(isFirstUnread: Bool) throws {
    let full = try filled(segments: 10).ring
    var unread = [try #require(full.segmentFiles.last)]
    full.close()
    for _ in 0..<4 {
      storage.endProcess()
      // What was written first behind an unread file may be readable when what was written later is not.
      for (index, name) in unread.enumerated() where isFirstUnread || index != 1 { storage.shut[name] = EIO }
      let (ring, stream) = try open(segments: 10)
      try spill(ring, stream, 10, as: 1)
      ring.flush(now: .start)
      unread.append(try #require(ring.segmentFiles.last))
      ring.close()
    }
    storage.endProcess()
    let (ring, stream) = try open(segments: 10)
    #expect(ring.recovery.counts[.copy] == nil && read(ring, stream).count == 94)
    ring.close()
  }

  /// Under a number of its own it would be another stream once the file can be read.
  @Test func aStreamThatAnUnreadFileMayKnowIsNotWritten() throws {
    let (full, stream) = try open()
    for sequence in 1...9 { try spill(full, stream, 10, as: sequence) }
    full.flush(now: .start)
    let name = try #require(full.segmentFiles.first)
    full.close()
    storage.endProcess()
    storage.shut[name] = EIO
    let (ring, provisional) = try open()
    #expect(provisional != stream && ring.degraded != nil)
    #expect(goOn(ring, provisional, from: 1, count: 30).allSatisfy { $0 == .degraded })
    ring.close()
    storage.endProcess()
    let (again, same) = try open()
    #expect(same == stream && again.degraded == nil && read(again, same).count == 9)
    again.close()
  }

  /// Superblock and cursor have two slots, a segment's header two copies.
  @Test func oneOfTwoCopiesThatCannotBeReadCostsNothing() throws {
    let (full, stream) = try filled()
    full.finish(stream, through: Mark(key: RecordKey(epoch: full.epoch, sequence: 5), ordinal: 5))
    for second in [10, 20] {
      full.finish(stream, through: Mark(key: RecordKey(epoch: full.epoch, sequence: 5), ordinal: 5))
      full.flush(now: .start + .seconds(second))
      full.finish(stream, throughUnstored: .zero, position: LogPosition(partition: 0, offset: Int64(second)))
      full.flush(now: .start + .seconds(second + 5))
    }
    let files =
      ["superblock", "cursor"].flatMap { [($0, 3), ($0, 65_539)] }
      + full.segmentFiles.flatMap { [($0, 3), ($0, 4_099)] }
    full.close()
    var mendedCount = 0
    for (name, offset) in files {
      storage.endProcess()
      storage.deadSector = (name, offset)
      let (ring, same) = try open()
      #expect(read(ring, same).count >= 85, "byte \(offset) of \(name)")
      #expect(ring.recovery.unreadFiles == [], "byte \(offset) of \(name)")
      ring.close()
      if storage.deadSector == nil { mendedCount += 1 }
    }
    #expect(storage.strikes[.deadSector] ?? 0 > files.count)
    // What is not read is not mended: the second copy of the oldest header.
    #expect(mendedCount >= files.count - 1)
  }
}

extension AppendResult {
  fileprivate var isWritten: Bool { if case .written = self { true } else { false } }
}
