import Frames
import Testing

@Suite struct GapTests {
  @Test(arguments: [
    // Counts add up, and the later reason stands.
    (Gap(frameCount: 2, reason: .damaged), Gap(frameCount: 3, reason: .evicted), Gap(frameCount: 5, reason: .evicted)),
    (Gap(frameCount: 0, reason: .damaged), Gap(frameCount: 0, reason: .damaged), Gap(frameCount: 0, reason: .damaged)),
    // Unknown and anything is unknown, for the reason of the part that nobody could count.
    (
      Gap(frameCount: nil, reason: .network), Gap(frameCount: 3, reason: .thinned),
      Gap(frameCount: nil, reason: .network)
    ),
    (
      Gap(frameCount: 3, reason: .damaged), Gap(frameCount: nil, reason: .camera), Gap(frameCount: nil, reason: .camera)
    ),
    (
      Gap(frameCount: nil, reason: .restart), Gap(frameCount: nil, reason: .network),
      Gap(frameCount: nil, reason: .restart)
    ),
    // More than anybody can count is not a reason to crash.
    (
      Gap(frameCount: .max, reason: .thinned), Gap(frameCount: 2, reason: .evicted),
      Gap(frameCount: .max, reason: .evicted)
    ),
  ])
  func merging(_ first: Gap, _ later: Gap, _ expected: Gap) {
    #expect(first.followed(by: later) == expected)
  }

  /// The hole's length is measured once, where it ends.
  @Test func aMergedHoleHasNoDurationYet() {
    let first = Gap(frameCount: 1, reason: .damaged, duration: 5)
    #expect(first.followed(by: Gap(frameCount: 1, reason: .damaged, duration: 7)).duration == nil)
  }

  /// Whatever is dropped in whatever order: known counts are a sum, and one unknown makes all unknown.
  @Test func mergingIsASum() {
    let parts: [UInt64?] = [0, 1, 7, nil]
    for first in parts {
      for second in parts {
        for third in parts {
          let gaps = [first, second, third].map { Gap(frameCount: $0, reason: $0 == nil ? .network : .damaged) }
          var total: Gap?
          for gap in gaps { total.append(gap) }
          let counts = [first, second, third].compactMap { $0 }
          #expect(total?.frameCount == (counts.count == 3 ? counts.reduce(0, +) : nil))
          #expect(total?.reason == (counts.count == 3 ? .damaged : .network))
          #expect(total == gaps[0].followed(by: gaps[1].followed(by: gaps[2])), "associative")
        }
      }
    }
  }

  @Test func appendingNothing() {
    var gap: Gap?
    gap.append(nil)
    #expect(gap == nil)
    gap.append(Gap(frameCount: 4, reason: .oversize, duration: 9))
    gap.append(nil)
    #expect(gap == Gap(frameCount: 4, reason: .oversize, duration: 9))
  }

  @Test func reasonsAreTheirHeaders() {
    #expect(
      Gap.Reason.allCases.map(\.rawValue) == [
        "network", "camera", "damaged", "overload", "evicted", "thinned", "oversize", "limited", "quarantined",
        "restart",
      ])
  }
}
