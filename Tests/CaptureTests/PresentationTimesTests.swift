import Testing

@testable import Capture

private let ms: Int64 = 1_000_000
private let second: Int64 = 1_000_000_000

@Suite struct PresentationTimesTests {
  /// 40 ms apart, in decoding order: with reordered pictures GOPs of 25 as I PBB PBB …
  static func truth(_ count: Int, isReordered: Bool) -> [Int64] {
    (0..<count).map { index in
      let inGroup = index % 25
      let delay = !isReordered ? 0 : inGroup == 0 ? 1 : (inGroup - 1) % 3 == 0 ? 3 : 0
      return Int64(index + delay) * 40 * ms
    }
  }

  private func play(
    _ pts: [Int64], isReordered: Bool = false, looksAhead: Bool = true
  ) -> [PresentationTimes.Time] {
    var times = PresentationTimes()
    times.mayReorder = isReordered
    return pts.enumerated().map { index, own in
      let following = looksAhead && index + 1 < pts.count ? pts[index + 1] : nil
      return times.next(pts: own, following: following, arrival: 7 * second + Int64(index) * 40 * ms)
    }
  }

  /// One wrong time at any place after the first GOPs is put right, and no other is touched.
  @Test(arguments: [-9_800 * second, -10_121 * second, 37_600 * second, 4 * second, -4 * second, second])
  func oneOutlier(_ error: Int64) {
    for isReordered in [false, true] {
      let truth = Self.truth(150, isReordered: isReordered)
      for index in [60, 61, 62, 67, 75, 76, 77, 98, 99, 100, 101] {
        var pts = truth
        pts[index] += error
        let found = play(pts, isReordered: isReordered)
        #expect(found.map(\.pts) == truth, "frame \(index), reordered: \(isReordered)")
        #expect(found.allSatisfy { $0.isExact && !$0.isBeginning })
      }
    }
  }

  @Test(arguments: [100 * ms, -100 * ms, 41 * ms, -41 * ms]) func aSmallOutlierWithoutReordering(_ error: Int64) {
    let truth = Self.truth(60, isReordered: false)
    var pts = truth
    pts[30] += error
    #expect(play(pts).map(\.pts) == truth)
  }

  @Test(arguments: [-9_800 * second, 37_600 * second, 4 * second]) func withoutLookingAhead(_ error: Int64) {
    let truth = Self.truth(60, isReordered: false)
    var pts = truth
    pts[30] += error
    #expect(play(pts, looksAhead: false).map(\.pts) == truth)
  }

  /// Two frames behind must agree where the source does not know what comes next.
  @Test(arguments: [-600 * second, 600 * second]) func aJumpThatIsConfirmed(_ jump: Int64) {
    let before = Self.truth(60, isReordered: false)
    let pts = before.enumerated().map { $1 + ($0 < 30 ? 0 : jump) }
    #expect(play(pts).map(\.pts) == pts)
    #expect(play(pts).map(\.isBeginning).firstIndex(of: true) == (jump < 0 ? 30 : nil))
    let found = play(pts, looksAhead: false)
    let expected = pts.indices.map { $0 < 32 ? before[$0] : pts[$0] }
    #expect(found.map(\.pts) == expected)
    #expect(found.map(\.isBeginning).firstIndex(of: true) == (jump < 0 ? 32 : nil))
  }

  /// Frames that come when something moves: nobody knows when the one with the wrong time was taken.
  @Test func unsteadyTimesAreNotCalledExact() {
    var generator = SeededGenerator(seed: 16)
    var truth: [Int64] = [0]
    for _ in 0..<80 { truth.append(truth[truth.count - 1] + Int64.random(in: 20...200, using: &generator) * ms) }
    for index in 40..<70 {
      var pts = truth
      pts[index] += 4 * second
      let found = play(pts)
      let time = found[index]
      #expect(found.map(\.pts).enumerated().allSatisfy { $0 == index || $1 == truth[$0] })
      #expect(time.pts > truth[index - 1] && time.pts < truth[index + 1])
      #expect(!time.isExact || abs(time.pts - truth[index]) <= 2 * ms)
    }
  }

  /// B-frames that the stream did not announce, after a time without: one is taken for an outlier at most.
  @Test func unannouncedReordering() {
    let pts = Self.truth(50, isReordered: false) + Self.truth(100, isReordered: true).map { $0 + 2 * second }
    let found = play(pts)
    #expect(zip(found, pts).count { $0.pts != $1 } <= 1)
  }

  /// A first time of zero that FFmpeg takes for none.
  @Test func theFirstLiesInFrontOfTheSecond() {
    var times = PresentationTimes()
    times.frameInterval = 40 * ms
    let found = [nil, 0, 40 * ms].enumerated().map { index, pts in
      times.next(pts: pts, following: Int64(index) * 40 * ms, arrival: Int64(index) * 40 * ms)
    }
    #expect(found.map(\.pts) == [-40 * ms, 0, 40 * ms] && found.allSatisfy { $0.isExact })
  }
}
