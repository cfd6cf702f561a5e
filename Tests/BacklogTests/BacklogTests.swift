import Frames
import Posix
import Synchronization
import Testing

@testable import Backlog

/// The queue between threads.
@Suite struct BacklogTests {
  private let soon = MonotonicTime.now() + .seconds(30)

  @Test func takeWaitsForAFrame() {
    let backlog = Backlog(laneCount: 1, memoryBudget: 1 << 20, largestFrame: 1 << 10)
    let taken = Mutex<UInt64?>(nil)
    let thread = Thread.start(name: "taker") { [soon] in
      let entry = backlog.take(until: soon) { _ in true }
      taken.withLock { $0 = entry?.sequence }
    }
    backlog.append(frame(byteCount: 1), to: front)
    #expect(thread.join(until: soon))
    #expect(taken.withLock { $0 } == 1)
  }

  @Test func takeGivesUpAtItsDeadline() {
    let backlog = Backlog(laneCount: 1, memoryBudget: 1 << 20, largestFrame: 1 << 10)
    #expect(backlog.take(until: .now()) { _ in true } == nil)
    backlog.append(frame(byteCount: 1), to: front)
    #expect(backlog.take(until: .now() + .milliseconds(1)) { _ in false } == nil)
    #expect(backlog.waitingCount == 1)
  }

  @Test func wakeMakesTakeReturn() {
    let backlog = Backlog(laneCount: 1, memoryBudget: 1 << 20, largestFrame: 1 << 10)
    backlog.append(frame(byteCount: 1), to: front)
    let wasAsked = Monitor(false)
    let thread = Thread.start(name: "taker") {
      let entry = backlog.take(until: .now() + .seconds(3_600)) { _ in
        wasAsked.withLock { $0 = true }
        return false
      }
      #expect(entry == nil)
    }
    #expect(wasAsked.wait(until: soon) { $0 ? true : nil } == true)
    backlog.wake()
    #expect(thread.join(until: soon))
  }

  @Test func emptyIsWhenEverythingIsFinished() throws {
    let backlog = Backlog(laneCount: 1, memoryBudget: 1 << 20, largestFrame: 1 << 10)
    #expect(backlog.waitUntilEmpty(until: .now()))
    backlog.append(frame(byteCount: 0), to: front)
    let entry = try #require(backlog.take(until: soon) { _ in true })
    #expect(!backlog.waitUntilEmpty(until: .now()))
    let thread = Thread.start(name: "finisher") { backlog.settle { [.finished(entry)] } }
    #expect(backlog.waitUntilEmpty(until: soon))
    thread.join()
  }

  /// Four cameras, one taker that fails now and then: everything comes out once, in order, or is counted as dropped.
  @Test func threadsLoseNothing() {
    let (laneCount, frameCount) = (4, 2_000)
    let backlog = Backlog(laneCount: laneCount, memoryBudget: 200 << 10, largestFrame: 1 << 10)
    let cameras = (0..<laneCount).map { index in
      Thread.start(name: "cam-\(index)") {
        for number in 0..<frameCount {
          backlog.append(frame(byteCount: 500, isKeyframe: number % 10 == 0), to: Lane(index: index))
        }
      }
    }
    var received = Array(repeating: [UInt64](), count: laneCount)
    var missing: UInt64 = 0
    var turn = 0
    while true {
      let isOver = cameras.allSatisfy { $0.join(until: .now()) }
      let entry = backlog.take(until: .now() + .milliseconds(1)) { _ in true }
      turn += 1
      if let entry, turn % 7 == 0 {
        backlog.settle { [.putBack([entry])] }
      } else if let entry {
        missing += entry.frame.gap?.frameCount ?? 0
        received[entry.lane.index].append(entry.sequence)
        backlog.settle { [.finished(entry)] }
      } else if isOver {
        break
      }
    }
    let dropped = backlog.drops.map { $0[.overload] ?? 0 }
    for lane in 0..<laneCount {
      #expect(received[lane] == received[lane].sorted())
      #expect(received[lane].count + Int(dropped[lane]) == frameCount)
    }
    // Drops at the very end of a lane have no frame behind them that could tell.
    let untold = received.map { UInt64(frameCount) - ($0.last ?? 0) }.reduce(0, +)
    #expect(missing + untold == dropped.reduce(0, +))
    #expect(backlog.byteCount == 0)
  }
}
