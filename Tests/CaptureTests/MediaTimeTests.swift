import Testing

@testable import Capture

private let second: Int64 = 1_000_000_000

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

@Suite struct MediaTimelineTests {
  /// Frames `interval` apart on the source's clock and on ours.
  private func play(
    _ line: inout MediaTimeline, from pts: Int64, at arrival: Int64, count: Int64, interval: Int64 = 40
  ) -> [Int64] {
    (0..<count).map { line.place(pts: pts + $0 * interval, dts: nil, arrival: arrival + $0 * interval).pts }
  }

  @Test func theFirstConnectionIsTheSourcesOwn() {
    var line = MediaTimeline()
    line.reconnect()
    #expect(play(&line, from: 100, at: 5_000, count: 3) == [100, 140, 180])
  }

  /// Wherever the next connection counts from, the time between the frames is what passed here.
  @Test(arguments: [0, 180, 7_000_000 * second, -90 * second]) func connectionsAreLaidEndToEnd(_ start: Int64) {
    var line = MediaTimeline()
    #expect(play(&line, from: 100, at: 5_000, count: 3) == [100, 140, 180])
    for round in 1...3 {
      line.reconnect()
      let before = 180 + Int64(round - 1) * 2_080
      #expect(
        play(&line, from: start, at: 5_080 + before - 180 + 2_000, count: 3)
          == [before + 2_000, before + 2_040, before + 2_080])
    }
  }

  /// A camera that sets its media clock back begins a new stretch; one that sets it ahead knows what it does.
  @Test func jumpsWithinAConnection() {
    var line = MediaTimeline()
    let times = [0, 1, 2, -3_600, -3_599, 50_000, 50_001, 49_998].enumerated().map { index, pts in
      line.place(pts: pts * second, dts: pts * second, arrival: Int64(index) * second)
    }
    #expect(times.map { $0.pts / second } == [0, 1, 2, 3, 4, 53_603, 53_604, 53_605])
    #expect(times.allSatisfy { $0.pts == $0.dts })
  }

  /// I0 P3 B1 B2 of 5 frames a second: back by less than the threshold, and no jump. Behind a new beginning the first
  /// decoding time is later than all that was shown.
  @Test func reorderedPictures() {
    var line = MediaTimeline()
    let order: [(Int64, Int64)] = [(0, -200), (600, 0), (200, 200), (400, 400)]
    let ms: Int64 = 1_000_000
    func play(at arrival: Int64) -> [[Int64?]] {
      order.enumerated().map { index, times in
        let placed = line.place(
          pts: times.0 * ms, dts: times.1 * ms, arrival: (arrival + Int64(index) * 200) * ms)
        return [placed.pts / ms, placed.dts.map { $0 / ms }]
      }
    }
    #expect(play(at: 1_000) == [[0, -200], [600, 0], [200, 200], [400, 400]])
    line.reconnect()
    // The last frame arrived at 1,600, the next one at 5,000.
    #expect(play(at: 5_000) == [[4_200, 4_000], [4_800, 4_200], [4_400, 4_400], [4_600, 4_600]])
  }

  /// Two frames of one moment still have an order, and the boot clock that stands still does not end the invariant.
  @Test func theNextConnectionIsAlwaysLater() {
    var line = MediaTimeline()
    var latest = Int64.min
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<1_000 {
      line.reconnect()
      let start = Int64.random(in: -1_000_000...1_000_000, using: &generator) * second
      for index in 0..<Int64.random(in: 1...4, using: &generator) {
        let time = line.place(pts: start + index * 40, dts: start + index * 40 - 7, arrival: 0)
        if let dts = time.dts, index == 0 { #expect(dts > latest || latest == .min) }
        #expect(time.pts > latest)
        latest = time.pts
      }
    }
  }

  @Test func extremesDoNotTrap() {
    let extremes: [Int64] = [.min, .min + 1, -1, 0, 1, .max - 1, .max]
    for first in extremes {
      for second in extremes {
        var line = MediaTimeline()
        var latest = Int64.min
        for (pts, arrival) in [(first, second), (second, first), (first, first), (second, second)] {
          latest = max(latest, line.place(pts: pts, dts: arrival, arrival: arrival).pts)
          line.reconnect()
          latest = max(latest, line.place(pts: pts, dts: nil, arrival: arrival).pts)
        }
        #expect(latest >= first)
      }
    }
  }
}
