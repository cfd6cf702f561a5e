import Testing

@testable import Capture

private let second: Int64 = 1_000_000_000

@Suite struct MediaClockTests {
  /// A stream that says so much of its pictures.
  private func clock(_ depth: Int) -> MediaClock {
    var pictures = PictureInformation(width: 64, height: 48)
    pictures.reorderDepth = depth
    var clock = MediaClock()
    clock.follow(pictures)
    return clock
  }

  private func times(_ clock: inout MediaClock, _ pts: [Int64?], isClosed: Bool = true) -> [[Int64?]] {
    pts.enumerated().map { index, pts in
      let time = clock.times(pts: pts, arrival: Int64(index) * 40_000_000, isClosed: isClosed)
      return [time.pts, time.dts]
    }
  }

  @Test func withoutReordering() {
    var clock = clock(0)
    let ms: Int64 = 1_000_000
    let found = times(&clock, [0, 40 * ms, 80 * ms])
    #expect(found == [[0, 0], [40 * ms, 40 * ms], [80 * ms, 80 * ms]])
  }

  @Test func theSourcesOwnTimesStand() {
    var clock = MediaClock()
    let found = [(80, 40), (nil, 80), (60, 70)].map { clock.times(pts: $0.0, dts: $0.1, arrival: 0) }
    #expect(found.map(\.pts) == [80, 80, 60])
    #expect(found.map(\.dts) == [40, 80, 70])
  }

  @Test func missingTimesFollowTheLastInterval() {
    var clock = MediaClock()
    let ms: Int64 = 1_000_000
    #expect(times(&clock, [nil, nil]) == [[0, 0], [0, nil]], "nothing is known yet")
    let found = times(&clock, [40 * ms, 80 * ms, nil, nil, 200 * ms])
    let expected: [[Int64?]] = [40, 80, 120, 160, 200].map { [$0 * ms, $0 * ms] }
    #expect(found == expected)
  }

  /// I0 P3 B1 B2 P6 B4 B5: one picture is held back.
  @Test func decodingTimesOfReorderedPictures() {
    var clock = clock(1)
    let ms: Int64 = 1_000_000
    let found = times(&clock, [0, 120, 40, 80, 240, 160, 200].map { $0 * ms })
    #expect(
      found == [
        [0, -40 * ms], [120 * ms, 0], [40 * ms, 40 * ms], [80 * ms, 80 * ms], [240 * ms, 120 * ms],
        [160 * ms, 160 * ms], [200 * ms, 200 * ms],
      ])
  }

  /// I3 B1 B0 B2 P7 B5 B4 B6: joined in the middle of an open GOP, two pictures are held back.
  @Test func decodingTimesBeginEarlyInAnOpenGOP() {
    var clock = clock(2)
    let ms: Int64 = 1_000_000
    let found = times(&clock, [120, 40, 0, 80, 280, 200, 160, 240].map { $0 * ms }, isClosed: false)
    let decoded = found.compactMap { $0[1] }
    #expect(decoded.count == found.count)
    #expect(zip(decoded, decoded.dropFirst()).allSatisfy { $0 < $1 })
    #expect(found.allSatisfy { ($0[1] ?? .max) <= ($0[0] ?? .min) })
  }

  /// What the stream does not announce is learnt, and decoding times come back.
  @Test func withoutAnAnnouncedDepthDecodingTimesAreLeftOutAtFirst() {
    var clock = clock(0)
    let ms: Int64 = 1_000_000
    let found = times(&clock, [0, 120, 40, 80, 240, 160, 200, 360, 280, 320].map { $0 * ms })
    let first: [Int64?] = found.prefix(4).map { $0[1] }
    #expect(first == [0, 120 * ms, nil, nil])
    let decoded = found.dropFirst(4).compactMap { $0[1] }
    #expect(decoded.count == 6 && zip(decoded, decoded.dropFirst()).allSatisfy { $0 < $1 })
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
      var clock = clock(depth)
      let found = order.enumerated().map { clock.times(pts: $1, arrival: Int64($0) * 40_000_000) }
      let decoded = found.compactMap(\.dts)
      #expect(found.map(\.pts) == order)
      #expect(decoded.count == order.count, "all are known: \(order)")
      #expect(zip(decoded, decoded.dropFirst()).allSatisfy { $0 < $1 })
      #expect(found.allSatisfy { $0.dts ?? .max <= $0.pts })
    }
  }

  @Test(arguments: [0, 2]) func jumpsOfTheCamerasClock(_ depth: Int) {
    var clock = clock(depth)
    let pts = [0, 90_000, 10, 3_000_000].flatMap { start in (0..<10).map { start * second + $0 * 40_000_000 } }
    let found = pts.enumerated().map { index, own in
      clock.times(
        pts: own, following: index + 1 < pts.count ? pts[index + 1] : nil, arrival: Int64(index) * 40_000_000)
    }
    #expect(found.map(\.pts) == pts, "the frame behind confirms a jump")
    #expect(found.indices.filter { found[$0].isBeginning } == [20], "only a step back is a beginning")
    #expect(found.allSatisfy { $0.dts != nil })
  }

  @Test func extremesDoNotTrap() {
    let extremes: [Int64?] = [nil, .min, -1, 0, 1, .max]
    for depth in [0, 1, 16] {
      for first in extremes {
        for second in extremes {
          for third in extremes {
            var clock = clock(depth)
            for (pts, following) in zip([first, second, third, nil, nil], [second, third, first, third, nil]) {
              let time = clock.times(pts: pts, following: following, arrival: second ?? 0, isClosed: third == nil)
              #expect(time.dts ?? .min <= time.pts)
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

  /// FFmpeg counts from a sender report that comes first, and it may be half the range of RTP's time ahead.
  @Test func theFirstConnectionDoesNotBeginFarBelowZero() {
    var line = MediaTimeline()
    line.reconnect()
    let times = (0..<3).map { line.place(pts: -23_861 * second + $0 * 40, dts: nil, arrival: $0 * 40).pts }
    #expect(times == [0, 40, 80])
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
