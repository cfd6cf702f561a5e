import Backlog
import Posix
import Testing

@testable import Delivery

/// Who goes next, and how fast, played step by step.
@Suite struct CatchUpTests {
  private let lanes = (0..<3).map { Lane(index: $0) }

  /// Sends `count` frames from lanes that have so many waiting; returns whose they were.
  private func play(_ waiting: [Int], count: Int) -> [Int] {
    var catchUp = CatchUp(CatchUp.Settings(), laneCount: waiting.count)
    var waiting = waiting
    var order: [Int] = []
    while order.count < count {
      let ready = waiting.indices.filter { waiting[$0] > 0 }
      guard let lane = ready.first(where: { catchUp.hasTurn(Lane(index: $0)) }) else {
        if ready.isEmpty { break }
        catchUp.beginRound()
        continue
      }
      waiting[lane] -= 1
      catchUp.sent(1_000, of: Lane(index: lane))
      order.append(lane)
    }
    return order
  }

  @Test func camerasTakeTurns() {
    #expect(play([1_000, 1_000, 1_000], count: 9) == [0, 1, 2, 0, 1, 2, 0, 1, 2])
  }

  @Test func aLongBacklogStarvesNobody() {
    #expect(play([1_000, 2, 2], count: 8) == [0, 1, 2, 0, 1, 2, 0, 0])
  }

  @Test func aBacklogEndsWhenNothingWaits() {
    var catchUp = CatchUp(CatchUp.Settings(), laneCount: 3)
    let now = MonotonicTime(nanoseconds: 0)
    catchUp.observe(waitingCount: 12, now: now)
    #expect(!catchUp.isCatchingUp)
    catchUp.observe(waitingCount: 13, now: now)
    #expect(catchUp.isCatchingUp)
    catchUp.observe(waitingCount: 1, now: now)
    #expect(catchUp.isCatchingUp)
    catchUp.observe(waitingCount: 0, now: now)
    #expect(!catchUp.isCatchingUp)
  }

  /// Over ten seconds of frames of all sizes the rate is held within 1 %.
  @Test(arguments: [8_000, 125_000, 1_000_000, 12_500_000] as [Double])
  func theRateIsHeld(bytesPerSecond: Double) {
    var catchUp = CatchUp(CatchUp.Settings(bytesPerSecond: bytesPerSecond), laneCount: 3)
    var now = MonotonicTime(nanoseconds: 0)
    var random = SystemRandomNumberGenerator()
    catchUp.observe(waitingCount: 1_000, now: now)
    var sentBytes = 0
    while now < MonotonicTime(nanoseconds: 600_000_000_000), sentBytes < 1_000_000_000 {
      now = catchUp.nextDeparture(now: now)
      // A thread never wakes at once.
      now = now + .microseconds(Int.random(in: 10...2_000, using: &random))
      let byteCount = Int.random(in: 500...60_000, using: &random)
      catchUp.sent(byteCount, of: lanes[0])
      sentBytes += byteCount
    }
    let rate = Double(sentBytes) / (now - MonotonicTime(nanoseconds: 0)).inSeconds
    #expect(abs(rate / bytesPerSecond - 1) < 0.02, "\(rate)")
  }

  @Test func withoutABacklogNothingIsHeldBack() {
    var catchUp = CatchUp(CatchUp.Settings(bytesPerSecond: 1), laneCount: 3)
    let now = MonotonicTime(nanoseconds: 5)
    catchUp.sent(1_000_000, of: lanes[0])
    #expect(catchUp.nextDeparture(now: now) == now)
  }

  @Test func aPauseSavesNothingUp() {
    var catchUp = CatchUp(CatchUp.Settings(bytesPerSecond: 1_000), laneCount: 3)
    catchUp.observe(waitingCount: 100, now: MonotonicTime(nanoseconds: 0))
    let later = MonotonicTime(nanoseconds: 60_000_000_000)
    #expect(catchUp.nextDeparture(now: later) == later)
    catchUp.sent(1_100, of: lanes[0])
    #expect(catchUp.nextDeparture(now: later) == later + .seconds(1))
  }
}
