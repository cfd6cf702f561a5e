import DiskRing
import Foundation
import Frames
import Posix
import Testing

@testable import Backlog

/// Frames of a time when the clock was not set yet, which lie on disk while the machine is started again.
@Suite struct BootClocksTests {
  @Test func theLastBootsAreRemembered() {
    var clocks = BootClocks()
    for boot in 1...20 as ClosedRange<UInt64> { clocks.note(boot, startedAt: Int64(boot) * 1_000) }
    clocks.note(20, startedAt: 7)
    #expect(clocks.starts.count == BootClocks.limit && clocks.wall(boot: 4, bootTime: 0) == nil)
    #expect(clocks.wall(boot: 5, bootTime: 3) == 5_003 && clocks.wall(boot: 20, bootTime: 3) == 10)
    #expect(BootClocks(text: clocks.text) == clocks)
  }

  @Test func linesOfOthersAreLeftOut() {
    #expect(BootClocks(text: "\nff 1\n1\nxyz 4\n2 3 4\n3 x\n").text == "ff 1\n")
    #expect(BootClocks(text: "ff 9223372036854775807\n").wall(boot: 255, bootTime: 9) == .max)
  }

  /// The clock is set while the frame waits on disk; then the power is gone and another boot sends it.
  @Test func aFrameIsDatedAfterAReboot() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-clocks-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let time = Monitor<ClockReading?>(nil)
    var unsynced = frame(byteCount: 100, captureTime: 55)
    (unsynced.clock, unsynced.bootTime) = (.unsynced, 4_000)

    let first = try backlog(directory, boot: 1) { time.read { $0 } }
    first.append(unsynced, to: front)
    #expect(first.secure(until: .now() + .seconds(30)))
    time.withLock { $0 = ClockReading(wall: WallClock.earliest + 10_000, boot: 9_000) }
    #expect(first.close() == (onDisk: 1, lost: 0))

    let second = try backlog(directory, boot: 2) { nil }
    let entry = try #require(second.take(until: .now() + .seconds(30)) { _ in true })
    #expect(entry.frame.clock == .corrected && entry.frame.captureTime == WallClock.earliest + 5_000)
    second.settle { [.finished(entry)] }
    #expect(second.close() == (onDisk: 0, lost: 0))
  }

  private func backlog(
    _ directory: URL, boot: UInt64, clock: @escaping @Sendable () -> ClockReading?
  ) throws -> Backlog {
    var options = DiskOptions(
      directory: directory.path,
      ring: RingOptions(size: .bytes(1 << 20 + 4 << 22), segmentByteCount: 4 << 20, minimumEpoch: 1), write: .always)
    (options.boot, options.clock) = (boot, clock)
    let disk = try DiskBuffer.open(
      options, lanes: [StreamDescription(name: "gate", topic: "cameras")],
      log: Log(level: .error) { _ in })
    return Backlog(laneCount: 1, memoryBudget: 1 << 20, largestFrame: 1 << 16, disk: disk)
  }
}
