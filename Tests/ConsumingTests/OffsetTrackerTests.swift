import Posix
import Testing

@testable import Consuming

/// How far a reader may commit.
@Suite struct OffsetTrackerTests {
  private let start = MonotonicTime(nanoseconds: 0)

  @Test func nothingReadNothingCommitted() {
    #expect(OffsetTracker().committable(partition: 0, now: start) == nil)
  }

  @Test func aGroupInProgressHoldsItsPartition() {
    var tracker = OffsetTracker()
    tracker.advance(partition: 0, to: 10)
    #expect(tracker.committable(partition: 0, now: start) == 10)
    tracker.pin(.group(of: "a"), partition: 0, offset: 10, now: start)
    tracker.advance(partition: 0, to: 15)
    #expect(tracker.committable(partition: 0, now: start) == 10)
    // The next group begins: the one before it is done with.
    tracker.pin(.group(of: "a"), partition: 0, offset: 16, now: start)
    tracker.advance(partition: 0, to: 17)
    #expect(tracker.committable(partition: 0, now: start) == 16)
    tracker.pin(.group(of: "a"), partition: 0, offset: nil, now: start)
    #expect(tracker.committable(partition: 0, now: start) == 17)
  }

  /// Whoever takes over must read all parts of a frame that has only begun.
  @Test func aFrameInPartsHoldsItsPartition() {
    var tracker = OffsetTracker()
    tracker.pin(.group(of: "a"), partition: 0, offset: 12, now: start)
    tracker.pin(.parts(of: "a"), partition: 0, offset: 15, now: start)
    tracker.advance(partition: 0, to: 20)
    #expect(tracker.committable(partition: 0, now: start) == 12)
    tracker.pin(.group(of: "a"), partition: 0, offset: nil, now: start)
    #expect(tracker.committable(partition: 0, now: start) == 15)
    tracker.pin(.parts(of: "a"), partition: 0, offset: nil, now: start)
    #expect(tracker.committable(partition: 0, now: start) == 20)
  }

  @Test func theSlowestCameraDecides() {
    var tracker = OffsetTracker()
    tracker.advance(partition: 0, to: 20)
    tracker.advance(partition: 1, to: 20)
    tracker.pin(.group(of: "a"), partition: 0, offset: 12, now: start)
    tracker.pin(.group(of: "b"), partition: 0, offset: 7, now: start)
    tracker.pin(.group(of: "c"), partition: 1, offset: 3, now: start)
    #expect(tracker.committable(partition: 0, now: start) == 7)
    #expect(tracker.committable(partition: 1, now: start) == 3)
  }

  /// A camera that is gone must not hold back its partition for ever.
  @Test func aSilentCameraIsWaitedForAWhile() {
    var tracker = OffsetTracker()
    tracker.advance(partition: 0, to: 20)
    tracker.pin(.group(of: "a"), partition: 0, offset: 12, now: start)
    let patience = OffsetTracker.patience
    #expect(tracker.committable(partition: 0, now: start + patience + .nanoseconds(-1)) == 12)
    #expect(tracker.committable(partition: 0, now: start + patience) == 20)
  }

  @Test func aRevokedPartitionIsForgotten() {
    var tracker = OffsetTracker()
    for partition in [0, 1] as [Int32] {
      tracker.advance(partition: partition, to: 20)
      tracker.pin(.group(of: "cam-\(partition)"), partition: partition, offset: 12, now: start)
    }
    tracker.forget(partition: 0)
    #expect(tracker.committable(partition: 0, now: start) == nil)
    #expect(tracker.committable(partition: 1, now: start) == 12)
    tracker.advance(partition: 0, to: 5)
    #expect(tracker.committable(partition: 0, now: start) == 5)
  }
}
