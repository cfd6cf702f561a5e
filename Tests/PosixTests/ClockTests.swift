import Posix
import Testing

/// Points and durations at their limits must not trap: a camera or a setting may say anything.
@Suite struct ClockTests {
  @Test(arguments: [
    (Int64(0), Duration.seconds(3), Int64(3_000_000_000)),
    (5, .nanoseconds(-7), -2),
    (1, .nanoseconds(Int64.max), .max),
    (1, .seconds(Int64.max), .max),
    (-1, .nanoseconds(Int64.min), .min),
    (-1, .seconds(Int64.min / 2), .min),
    (.max, .nanoseconds(Int64.min), -1),
  ])
  func addingSaturates(_ start: Int64, _ duration: Duration, _ expected: Int64) {
    #expect((MonotonicTime(nanoseconds: start) + duration).nanoseconds == expected)
  }

  @Test(arguments: [
    (Int64(7), Int64(3), Int64(4)), (3, 7, -4), (.max, -1, .max), (.min, 1, .min), (.max, .min, .max),
    (.min, .max, .min),
  ])
  func subtractingSaturates(_ left: Int64, _ right: Int64, _ expected: Int64) {
    #expect((MonotonicTime(nanoseconds: left) - MonotonicTime(nanoseconds: right)).nanoseconds == expected)
  }

  @Test(arguments: [
    (Duration.milliseconds(1_500), Int64(1_500_000_000)), (.milliseconds(-1_500), -1_500_000_000), (.zero, 0),
    (.nanoseconds(Int64.max), .max), (.nanoseconds(Int64.min), .min), (.seconds(Int64.max), .max),
    (.seconds(Int64.min / 2), .min), (.nanoseconds(Int64.max) + .nanoseconds(1), .max),
    (.nanoseconds(Int64.min) - .nanoseconds(1), .min),
  ])
  func durationsSaturate(_ duration: Duration, _ expected: Int64) {
    #expect(duration.nanoseconds == expected)
  }

  @Test func seconds() {
    #expect(Duration.milliseconds(-1_250).inSeconds == -1.25)
  }

  @Test func theMonotonicClockDoesNotGoBack() {
    let times = (0..<1_000).map { _ in MonotonicTime.now() }
    #expect(times == times.sorted())
  }

  @Test func theWallClockCountsNanosecondsSince1970() {
    // 2024-01-01; a clock that counted anything else would be far away.
    #expect(WallClock.nanosecondsSince1970() > 1_704_067_200_000_000_000)
  }
}
