import Frames
import Testing

@testable import Capture

private let second: Int64 = 1_000_000_000

@Suite struct CaptureClockTests {
  /// (arrival, camera's time, our clock is set) → (capture time, quality), one after another.
  private func expectTimes(_ steps: [(Int64, Int64?, Bool, Int64, ClockQuality)], _ comment: Comment) {
    var clock = CaptureClock()
    for (arrival, cameraTime, isSynchronized, time, quality) in steps {
      let result = clock.captureTime(arrival: arrival, cameraTime: cameraTime, isSynchronized: isSynchronized)
      #expect(result == (time, quality), comment)
    }
  }

  @Test func qualities() {
    expectTimes(
      [
        (100 * second, nil, true, 100 * second, .gateway),
        (101 * second, nil, false, 101 * second, .unsynced),
        (102 * second, 101 * second + 5, true, 101 * second + 5, .camera),
        (103 * second, 108 * second, true, 108 * second, .camera),
        (110 * second, 115 * second + 1, true, 110 * second, .gateway),
        (120 * second, 114 * second, false, 120 * second, .unsynced),
      ], "the camera's clock counts within 5 s of ours")
  }

  @Test func neverBackwards() {
    expectTimes(
      [
        (100, nil, true, 100, .gateway), (100, nil, true, 101, .gateway), (99, nil, true, 102, .gateway),
        (101, nil, true, 103, .gateway), (500, nil, true, 500, .gateway),
        (501, 400, true, 501, .camera),  // the camera's clock is behind: its quality stays true, the order too
      ], "equal and smaller times are moved")
  }

  @Test func aStepOfTheClockIsTaken() {
    expectTimes(
      [
        (100 * second, nil, true, 100 * second, .gateway),
        (95 * second + 1, nil, true, 100 * second + 1, .gateway),
        (95 * second, nil, true, 95 * second, .gateway),
        (96 * second, nil, true, 96 * second, .gateway),
        (1_000_000 * second, nil, true, 1_000_000 * second, .gateway),
      ], "5 s back is a step, less is not")
  }

  @Test func extremesDoNotTrap() {
    let extremes: [Int64?] = [nil, .min, .min + 1, -1, 0, 1, .max - 1, .max]
    for first in extremes {
      for second in extremes {
        for arrival in [Int64.min, -1, 0, .max] {
          var clock = CaptureClock()
          _ = clock.captureTime(arrival: arrival, cameraTime: first, isSynchronized: true)
          let (time, quality) = clock.captureTime(arrival: 0, cameraTime: second, isSynchronized: true)
          if quality == .gateway, arrival != .max { #expect((0...2).contains(time)) }
        }
      }
    }
    expectTimes([(.max, nil, true, .max, .gateway), (.max, nil, true, .max, .gateway)], "nothing is later than that")
  }
}

@Suite struct MediaClockTests {
  private func times(_ clock: inout MediaClock, _ pts: [Int64?]) -> [[Int64?]] {
    pts.map { pts in
      let (shown, decoded) = clock.times(pts: pts, dts: nil)
      return [shown, decoded]
    }
  }

  @Test func withoutReordering() {
    var clock = MediaClock()
    #expect(times(&clock, [0, 40, 80, 120]) == [[0, 0], [40, 40], [80, 80], [120, 120]])
  }

  @Test func theSourcesOwnTimesStand() {
    var clock = MediaClock()
    #expect(clock.times(pts: 80, dts: 40) == (80, 40))
    #expect(clock.times(pts: nil, dts: 80) == (80, 80))
    #expect(clock.times(pts: 60, dts: 70) == (60, 70))
  }

  @Test func missingTimesGoOnAtTheLastInterval() {
    var clock = MediaClock()
    #expect(times(&clock, [nil, nil]) == [[0, 0], [0, nil]], "nothing is known yet")
    #expect(times(&clock, [40, 80, nil, nil, 200]) == [[40, 40], [80, 80], [120, 120], [160, 160], [200, 200]])
  }

  /// I0 P3 B1 B2 P6 B4 B5: one picture is held back.
  @Test func decodingTimesOfReorderedPictures() {
    var clock = MediaClock()
    clock.reorderDepth = 1
    let ms: Int64 = 1_000_000
    let found = times(&clock, [0, 120, 40, 80, 240, 160, 200].map { $0 * ms })
    #expect(
      found == [
        [0, -1 * ms], [120 * ms, 0], [40 * ms, 40 * ms], [80 * ms, 80 * ms], [240 * ms, 120 * ms],
        [160 * ms, 160 * ms], [200 * ms, 200 * ms],
      ])
  }

  @Test func withoutAKnownDepthDecodingTimesAreLeftOut() {
    var clock = MediaClock()
    #expect(times(&clock, [0, 120, 40, 80, 240]) == [[0, 0], [120, 120], [40, nil], [80, nil], [240, 240]])
  }

  /// Any legal order: decoding times rise and are never behind the presentation.
  @Test(arguments: 0...4) func legalOrders(_ depth: Int) {
    var generator = SeededGenerator(seed: UInt64(depth))
    for _ in 0..<200 {
      // A keyframe first; then a picture may be sent ahead of another that at most `depth` have overtaken.
      var waiting = (1..<60).map { Int64($0) * 40_000_000 }
      var order: [Int64] = [0]
      while !waiting.isEmpty {
        let ahead = order.count { $0 > waiting[0] }
        let index = ahead < depth && waiting.count > 1 ? Int.random(in: 0...1, using: &generator) : 0
        order.append(waiting.remove(at: index))
      }
      var clock = MediaClock()
      clock.reorderDepth = depth
      let found = order.map { clock.times(pts: $0, dts: nil) }
      let decoded = found.compactMap(\.dts)
      #expect(found.map(\.pts) == order)
      #expect(decoded.count == order.count, "all are known: \(order)")
      #expect(zip(decoded, decoded.dropFirst()).allSatisfy { $0 < $1 })
      #expect(found.allSatisfy { $0.dts ?? .max <= $0.pts })
    }
  }

  @Test(arguments: [0, 2]) func jumpsOfTheCamerasClock(_ depth: Int) {
    var clock = MediaClock()
    clock.reorderDepth = depth
    let jumps = [0, 90_000, 10, 3_000_000].map { $0 * second }
    for start in jumps {
      let found = (0..<10).map { clock.times(pts: start + $0 * 40_000_000, dts: nil) }
      for (index, time) in found.enumerated() {
        #expect(time.pts == start + Int64(index) * 40_000_000, "a presentation time is never invented")
        // Behind a jump the reordering is unknown for as many pictures as it is deep.
        if index > depth { #expect(time.dts != nil, "decoding times come back after a jump to \(start)") }
      }
    }
  }

  @Test func extremesDoNotTrap() {
    let extremes: [Int64?] = [nil, .min, -1, 0, 1, .max]
    for depth in [0, 1, 16] {
      for first in extremes {
        for second in extremes {
          for third in extremes {
            var clock = MediaClock()
            clock.reorderDepth = depth
            for pts in [first, second, third, nil, nil] {
              let time = clock.times(pts: pts, dts: nil)
              if let pts { #expect(time.pts == pts) }
            }
          }
        }
      }
    }
  }
}
