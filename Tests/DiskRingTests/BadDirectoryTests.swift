import Glibc
import Posix
import Testing

@testable import DiskRing

/// Directories that are not as they should be: a clear error, or a repair that is reported.
@Suite final class BadDirectoryTests {
  let directory = Scratch()
  let small = RingOptions(size: .bytes(1 << 20 + 4 << 22), segmentByteCount: 4 << 20, minimumEpoch: 1)
  let gate = StreamDescription(name: "gate", topic: "cameras")

  private func code(_ options: RingOptions? = nil, at path: String? = nil) throws -> RingError.Code? {
    do throws(RingError) {
      let ring = try Ring.open(try PosixStorage(path: path ?? directory.path), options ?? small)
      ring.close()
      return nil
    } catch { return error.code }
  }

  private func fill() throws {
    let ring = try Ring.open(try PosixStorage(path: directory.path), small)
    let stream = try ring.register(gate)
    for sequence in 1...3 { try spill(ring, stream, sequence) }
    ring.flush(now: .start)
    ring.close()
  }

  private func reopen() throws -> (counts: [RecoveryCase: Int], payloads: [[UInt8]]) {
    let ring = try Ring.open(try PosixStorage(path: directory.path), small)
    defer { ring.close() }
    return (ring.recovery.counts, read(ring, try ring.register(gate)))
  }

  private let whole = (1...3).map { payload($0) }

  @Test func missingDirectory() throws { #expect(try code(at: "/nonexistent/ring") == .directoryMissing) }

  @Test func sizeTooSmall() throws {
    #expect(try code(RingOptions(size: .bytes(5 << 20), segmentByteCount: 4 << 20, minimumEpoch: 1)) == .tooSmall)
  }

  @Test func sizeLargerThanTheDisk() throws {
    #expect(
      try code(RingOptions(size: .bytes(1 << 50), segmentByteCount: 256 << 20, minimumEpoch: 1)) == .largerThanDisk)
    #expect(directory.names == ["lock"], "nothing is left behind")
  }

  @Test func errnosHaveRemedies() {
    #expect(RingError.opening(SystemError(code: EROFS, operation: "x")).code == .readOnlyFilesystem)
    #expect(RingError.opening(SystemError(code: ENOSPC, operation: "x")).code == .diskFull)
    #expect(RingError.opening(SystemError(code: EACCES, operation: "x")).code == .notWritable)
  }

  /// Whoever may write into the directory must not choose what is made, or locked, elsewhere.
  @Test func aLinkInThePlaceOfTheLock() throws {
    let elsewhere = Scratch()
    try #require(symlink(elsewhere.path + "/made", directory.path + "/lock") == 0)
    #expect(try code() != nil)
    #expect(elsewhere.names.isEmpty)
  }

  @Test func heldByAnother() throws {
    let ring = try Ring.open(try PosixStorage(path: directory.path), small)
    #expect(try code() == .held)
    ring.close()
    #expect(try code() == nil)
  }

  @Test func writtenByANewerVersion() throws {
    try fill()
    try overwrite("superblock") { bytes in
      for slot in [0, DoubleSlot.distance] {
        bytes[slot + 8] = 9
        let count = Int(bytes[slot + 12])
        let sum = Checksum.of(Array(bytes[slot..<(slot + count - 8)]), seed: Superblock.magic)
        withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange((slot + count - 8)..<(slot + count), with: $0) }
      }
    }
    #expect(try code() == .newerVersion)
  }

  @Test func deletedSegment() throws {
    try fill()
    unlink("\(directory.path)/segment-00003")
    let (counts, payloads) = try reopen()
    #expect(counts[.missing] == 1 && payloads == whole)
  }

  @Test func truncatedSegment() throws {
    try fill()
    truncate("\(directory.path)/segment-00000", 100 << 10)
    let (counts, payloads) = try reopen()
    #expect(counts[.wrongSize] == 1 && payloads == whole)
  }

  @Test func swappedSegments() throws {
    try fill()
    rename("\(directory.path)/segment-00000", "\(directory.path)/x")
    rename("\(directory.path)/segment-00001", "\(directory.path)/segment-00000")
    rename("\(directory.path)/x", "\(directory.path)/segment-00001")
    let (counts, payloads) = try reopen()
    #expect(counts[.renamed] == 1 && payloads == whole)
  }

  @Test func renamedSegment() throws {
    try fill()
    rename("\(directory.path)/segment-00000", "\(directory.path)/old.bak")
    let (counts, payloads) = try reopen()
    #expect(counts[.stray] == 1 && payloads == whole)
    #expect(!directory.names.contains("old.bak"))
  }

  @Test func foreignSegmentsAreSetAsideSideBySide() throws {
    try fill()
    let other = Scratch()
    var options = small
    options.newRingID = small.newRingID &+ 1
    let ring = try Ring.open(try PosixStorage(path: other.path), options)
    let stream = try ring.register(gate)
    for sequence in 1...6 { try spill(ring, stream, 9_000, as: sequence) }
    ring.flush(now: .start)
    ring.close()
    for name in ["segment-00000", "segment-00001"] {
      try #require(rename("\(other.path)/\(name)", "\(directory.path)/segment-00009") == 0)
      #expect(try reopen().counts[.foreign] == 1)
    }
    let aside = directory.names.filter { $0.hasSuffix(".foreign") }.sorted()
    #expect(aside == ["segment-00009.2.foreign", "segment-00009.foreign"])
  }

  @Test func vanishedDirectoryDegrades() throws {
    let ring = try Ring.open(try PosixStorage(path: directory.path), small)
    let stream = try ring.register(gate)
    try spill(ring, stream, 1)
    for name in directory.names { unlink("\(directory.path)/\(name)") }
    ring.prepareSpare()
    #expect(ring.degraded?.code == ENOENT)
    let record = NewRecord(
      stream: stream, key: RecordKey(epoch: ring.epoch, sequence: 9), isKeyframe: true, captureTime: 0, metadata: [])
    #expect(ring.append(record, payload: [], now: .start) == .degraded)
    #expect(read(ring, stream) == [payload(1)], "what is there is still read")
  }

  @Test func readOnlyOpeningWritesNothing() throws {
    try fill()
    let names = directory.names
    let ring = try Ring.open(try PosixStorage(path: directory.path, isReadOnly: true), small)
    #expect(read(ring, try ring.register(gate)) == whole)
    #expect(directory.names == names && ring.epoch == 1)
  }

  private func overwrite(_ name: String, _ change: (inout [UInt8]) -> Void) throws {
    var bytes = try Files.read("\(directory.path)/\(name)", limit: 1 << 20)
    change(&bytes)
    let descriptor = open("\(directory.path)/\(name)", O_WRONLY)
    defer { close(descriptor) }
    try Files.write(bytes, to: descriptor)
  }
}
