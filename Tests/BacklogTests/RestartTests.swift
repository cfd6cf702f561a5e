import DiskRing
import Foundation
import Frames
import Posix
import Testing

@testable import Backlog

/// A ring in a directory for the backlogs of one run after another.
final class BacklogDirectory {
  let url = FileManager.default.temporaryDirectory.appending(path: "camgate-backlog-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// Opens the ring, with one lane; everything is written.
  func open(boot: UInt64 = 1, clock: @escaping @Sendable () -> ClockReading? = { nil }) throws -> Backlog {
    var options = DiskOptions(
      directory: url.path,
      ring: RingOptions(size: .bytes(1 << 20 + 4 << 22), segmentByteCount: 4 << 20, minimumEpoch: 1), write: .always)
    (options.boot, options.clock) = (boot, clock)
    let disk = try DiskBuffer.open(
      options, lanes: [StreamDescription(name: "gate", topic: "cameras")], log: Log(level: .error) { _ in })
    return Backlog(laneCount: disk.facts.lanes.count, memoryBudget: 1 << 20, largestFrame: 1 << 16, disk: disk)
  }
}

/// One run behind another on the same ring.
@Suite struct RestartTests {
  /// A camera is never faster than the disk: what comes at once does not leave in front of what was left behind.
  @Test func whatWasLeftBehindGoesFirst() throws {
    let directory = try BacklogDirectory()
    let first = try directory.open()
    for time in 1...3 as ClosedRange<Int64> { first.append(frame(byteCount: 100, captureTime: time), to: front) }
    #expect(first.secure(until: .now() + .seconds(30)))
    #expect(first.close() == (onDisk: 3, lost: 0))

    let second = try directory.open()
    second.append(frame(byteCount: 100, captureTime: 4), to: front)
    var times: [Int64] = []
    while times.count < 4 {
      let entry = try #require(second.take(until: .now() + .seconds(30)) { _ in true })
      times.append(entry.frame.captureTime)
      second.settle { [.finished(entry)] }
    }
    #expect(times == [1, 2, 3, 4])
    #expect(second.close() == (onDisk: 0, lost: 0))
  }
}
