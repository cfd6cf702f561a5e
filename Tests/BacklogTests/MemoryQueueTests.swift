import Frames
import Testing

@testable import Backlog

/// The memory queue by example.
@Suite struct MemoryQueueTests {
  /// A queue of one lane that holds `frameCount` frames of 1 KiB.
  private func queue(holding frameCount: Int, laneCount: Int = 1) -> MemoryQueue {
    MemoryQueue(laneCount: laneCount, byteBudget: frameCount * (1_024 + Entry.overhead), largestFrame: 1_024)
  }

  private func small(isKeyframe: Bool, at time: Int64 = 0, gap: Gap? = nil) -> Frame {
    frame(byteCount: 1_024, isKeyframe: isKeyframe, captureTime: time, gap: gap)
  }

  private func takeAll(_ queue: inout MemoryQueue) -> [Entry] {
    var entries: [Entry] = []
    while let entry = queue.take(where: { _ in true }) { entries.append(entry) }
    return entries
  }

  @Test func theOldestGOPLeavesWhole() {
    var queue = queue(holding: 5)
    for index in 0..<6 { queue.append(small(isKeyframe: index % 3 == 0), to: front) }
    let entries = takeAll(&queue)
    #expect(entries.map(\.sequence) == [4, 5, 6])
    #expect(entries.map(\.frame.gap) == [Gap(frameCount: 3, reason: .overload), nil, nil])
    #expect(queue.drops(in: front) == [.overload: 3])
  }

  @Test func theOldestGOPOfAllLanesAboveTheirShareLeavesFirst() {
    var queue = queue(holding: 6, laneCount: 3)
    let third = Lane(index: 2)
    for lane in [back, front, back, front, back, front, third] { queue.append(small(isKeyframe: true), to: lane) }
    #expect(queue.drops(in: back) == [.overload: 1])
    #expect(takeAll(&queue).map(\.lane) == [front, back, front, back, front, third])
  }

  /// What a flood leaves of memory to others is their share; what they do not use of it is lent.
  @Test func whatIsAboveAShareGoesFirst() {
    let flood = Lane(index: 2)
    var queue = queue(holding: 12, laneCount: 3)
    for _ in 0..<20 { queue.append(small(isKeyframe: true), to: flood) }
    #expect(queue.drops(in: flood) == [.overload: 8], "alone it has all of it")
    for _ in 0..<4 {
      for lane in [front, back] { queue.append(small(isKeyframe: true), to: lane) }
      for _ in 0..<20 { queue.append(small(isKeyframe: true), to: flood) }
    }
    #expect(queue.drops(in: front) == [:] && queue.drops(in: back) == [:])
    let lanes = takeAll(&queue).map(\.lane.index)
    #expect([0, 1, 2].map { lane in lanes.count { $0 == lane } } == [4, 4, 4])
  }

  /// The rest of a GOP whose beginning was dropped cannot be decoded.
  @Test func aLaneGoesOnAtTheNextKeyframe() {
    var queue = queue(holding: 3)
    for isKeyframe in [true, false, false, false, false, true, false] {
      queue.append(small(isKeyframe: isKeyframe), to: front)
    }
    let entries = takeAll(&queue)
    #expect(entries.map(\.sequence) == [6, 7])
    #expect(entries[0].frame.gap == Gap(frameCount: 5, reason: .overload))
  }

  private func gradual(_ recovery: Int) -> Frame {
    var frame = small(isKeyframe: true)
    frame.recovery = recovery
    return frame
  }

  /// What is whole at once is the better beginning, unless the other one is whole earlier.
  @Test(arguments: [(1, true, 3), (2, true, 5), (9, true, 5), (9, false, 3)] as [(Int, Bool, UInt64)])
  func evictionPrefersWholeKeyframes(_ recovery: Int, _ isWholeThere: Bool, _ first: UInt64) {
    var queue = queue(holding: 5)
    for frame in [small(isKeyframe: true), small(isKeyframe: false), gradual(recovery), small(isKeyframe: false)] {
      queue.append(frame, to: front)
    }
    queue.append(small(isKeyframe: isWholeThere), to: front)
    queue.append(small(isKeyframe: false), to: front)
    let left = takeAll(&queue)
    #expect(left.first?.sequence == first)
    #expect(left.first?.frame.gap == Gap(frameCount: first - 1, reason: .overload))
  }

  @Test func thinningPrefersWholeKeyframes() {
    for (last, expected) in [(small(isKeyframe: true), [1, 5]), (small(isKeyframe: false), [1, 3] as [UInt64])] {
      var queue = queue(holding: 9)
      for frame in [small(isKeyframe: true), small(isKeyframe: false), gradual(9), small(isKeyframe: false), last] {
        queue.append(frame, to: front)
      }
      #expect(queue.nextToWrite(byteLimit: .max, onlyKeyframes: true).map(\.sequence) == expected)
    }
  }

  @Test func whatIsUnderWayIsNotDropped() {
    var queue = queue(holding: 2)
    queue.append(small(isKeyframe: true), to: front)
    queue.append(small(isKeyframe: true), to: front)
    let taken = takeAll(&queue)
    queue.append(small(isKeyframe: true), to: front)
    #expect(queue.drops(in: front) == [.overload: 1])
    for entry in taken { queue.finish(entry) }
    queue.append(small(isKeyframe: true), to: front)
    #expect(takeAll(&queue).map(\.frame.gap) == [Gap(frameCount: 1, reason: .overload)])
  }

  @Test func anOversizeFrameLeavesTheOthersAlone() {
    var queue = queue(holding: 3, laneCount: 2)
    queue.append(small(isKeyframe: true), to: back)
    queue.append(frame(byteCount: 1_025), to: front)
    queue.append(small(isKeyframe: false), to: front)
    queue.append(small(isKeyframe: true), to: front)
    #expect(queue.drops(in: front) == [.oversize: 2])
    #expect(queue.drops(in: back) == [:])
    #expect(takeAll(&queue).last?.frame.gap == Gap(frameCount: 2, reason: .oversize))
  }

  /// One frame that can never fit must not throw out everything else first.
  @Test func aFrameAboveTheWholeBudgetIsOversize() {
    var queue = MemoryQueue(laneCount: 2, byteBudget: 10_000, largestFrame: 20_000)
    queue.append(small(isKeyframe: true), to: back)
    queue.append(frame(byteCount: 10_000), to: front)
    #expect(queue.drops(in: front) == [.oversize: 1])
    #expect(queue.drops(in: back) == [:])
  }

  /// What the camera lost keeps its reason in the gap, but what was dropped here is counted under why it was.
  @Test func dropsBehindAnUnknownGapAreCountedByTheirOwnReason() {
    var queue = queue(holding: 2)
    queue.append(small(isKeyframe: true), to: front)
    queue.append(small(isKeyframe: true), to: front)
    let taken = takeAll(&queue)
    queue.append(small(isKeyframe: true, gap: Gap(frameCount: nil, reason: .network)), to: front)
    queue.append(small(isKeyframe: false), to: front)
    #expect(queue.drops(in: front) == [.overload: 2])
    for entry in taken { queue.finish(entry) }
    queue.append(small(isKeyframe: true), to: front)
    #expect(takeAll(&queue)[0].frame.gap == Gap(frameCount: nil, reason: .network, duration: 0))
  }

  @Test func framesThatCaptureCountedHaveNumbers() {
    var queue = queue(holding: 5)
    queue.append(small(isKeyframe: true), to: front)
    queue.append(small(isKeyframe: true, gap: Gap(frameCount: 7, reason: .damaged)), to: front)
    queue.append(small(isKeyframe: false, gap: Gap(frameCount: nil, reason: .network)), to: front)
    let entries = takeAll(&queue)
    #expect(entries.map(\.sequence) == [1, 9, 10])
    #expect(entries[1].frame.gap == Gap(frameCount: 7, reason: .damaged))
  }

  @Test func aHoleNobodyCountedTellsItsLength() {
    var queue = queue(holding: 5)
    queue.append(small(isKeyframe: true, at: 1_000, gap: Gap(frameCount: nil, reason: .camera)), to: front)
    queue.append(small(isKeyframe: true, at: 2_500, gap: Gap(frameCount: nil, reason: .network)), to: front)
    queue.append(small(isKeyframe: true, at: 2_000, gap: Gap(frameCount: nil, reason: .network)), to: front)
    queue.append(small(isKeyframe: true, at: 3_000, gap: Gap(frameCount: 1, reason: .damaged)), to: front)
    // Nothing is known of the time before the first frame, and a clock that was stepped back says nothing.
    #expect(takeAll(&queue).map(\.frame.gap?.duration) == [nil, 1_500, nil, nil])
  }

  /// The wall clock of a board that is told the time jumps by decades, the hole in front of it does not.
  @Test func aStepOfTheClockDoesNotLengthenAHole() {
    var queue = queue(holding: 4)
    for (boot, time): (Int64, Int64) in [(1_000, 5), (2_500, 1_795_000_000_000_000_000), (2_600, 7)] {
      var frame = small(isKeyframe: true, at: time, gap: Gap(frameCount: nil, reason: .camera))
      frame.bootTime = boot
      queue.append(frame, to: front)
    }
    #expect(takeAll(&queue).map(\.frame.gap?.duration) == [nil, 1_500, 100])
  }

  /// A frame that was taken, put back and then dropped is no longer the one in front of the hole.
  @Test func aHoleBeginsAtTheLastFrameThatLeft() {
    var queue = queue(holding: 2)
    queue.append(small(isKeyframe: true, at: 1_000), to: front)
    for entry in takeAll(&queue) { queue.finish(entry) }
    queue.append(small(isKeyframe: true, at: 2_000, gap: Gap(frameCount: nil, reason: .network)), to: front)
    queue.append(small(isKeyframe: true, at: 3_000), to: front)
    queue.putBack(takeAll(&queue))
    queue.append(small(isKeyframe: true, at: 4_000), to: front)
    let entries = takeAll(&queue)
    #expect(entries.map(\.frame.captureTime) == [3_000, 4_000])
    #expect(entries[0].frame.gap == Gap(frameCount: nil, reason: .network, duration: 2_000))

    queue.finish(entries[1])
    queue.putBack([entries[0]])
    let alone = takeAll(&queue)[0]
    queue.finish(alone, dropped: .quarantined)
    queue.append(small(isKeyframe: true, at: 5_000), to: front)
    #expect(takeAll(&queue)[0].frame.gap == Gap(frameCount: nil, reason: .network, duration: 4_000))
  }

  @Test func aRefusedFrameIsAnnouncedByTheOneBehindIt() {
    var queue = queue(holding: 5)
    queue.append(small(isKeyframe: true, gap: Gap(frameCount: 2, reason: .damaged)), to: front)
    let first = takeAll(&queue)[0]
    queue.append(small(isKeyframe: false), to: front)
    queue.finish(first, dropped: .quarantined)
    #expect(takeAll(&queue)[0].frame.gap == Gap(frameCount: 3, reason: .quarantined))
    #expect(queue.drops(in: front) == [.quarantined: 1])
  }

  @Test func whatWasPutBackGoesFirst() {
    var queue = queue(holding: 5, laneCount: 2)
    for lane in [front, back, front] { queue.append(small(isKeyframe: true), to: lane) }
    let taken = takeAll(&queue).filter { $0.lane == front }
    queue.append(small(isKeyframe: true), to: back)
    queue.append(small(isKeyframe: true), to: front)
    queue.putBack(taken)
    #expect(queue.waitingCount == 4)
    #expect(takeAll(&queue).map(\.sequence) == [1, 2, 2, 3])
  }

  /// The budget is about memory, so what was dropped or acknowledged must be gone, not only uncounted.
  @Test func framesThatLeftAreReleased() {
    let live = LiveBytes()
    var queue = MemoryQueue(laneCount: 1, byteBudget: 100_000, largestFrame: 10_000)
    for _ in 0..<1_000 {
      queue.append(frame(live.payload(byteCount: 1_000)), to: front)
      #expect(live.value <= 100_000)
    }
    while let entry = queue.take(where: { _ in true }) {
      queue.finish(entry)
      #expect(live.value <= queue.byteCount + entry.byteCount)
    }
    #expect(live.value == 0)
  }
}
