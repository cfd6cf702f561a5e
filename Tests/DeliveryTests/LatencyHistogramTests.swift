import Posix
import Testing

@testable import Delivery

@Suite struct LatencyHistogramTests {
  @Test func quantilesAreAtMostAnEighthTooHigh() throws {
    var histogram = LatencyHistogram()
    #expect(histogram.quantile(0.5) == nil)
    for milliseconds in 1...1_000 { histogram.add(.milliseconds(milliseconds)) }
    for (share, exact) in [(0.5, 500), (0.99, 990), (0.001, 1), (1.0, 1_000)] {
      let found = try #require(histogram.quantile(share)).inSeconds * 1_000
      #expect((Double(exact)...Double(exact) * 1.13).contains(found), "\(share): \(found) ms, not \(exact)")
    }
  }

  @Test func anythingHasAPlace() throws {
    var histogram = LatencyHistogram()
    for duration in [Duration.zero, .seconds(-5), .nanoseconds(1), .seconds(86_400 * 365)] { histogram.add(duration) }
    #expect(histogram.count == 4)
    #expect(try #require(histogram.quantile(0.5)) < .milliseconds(1))
    #expect(try #require(histogram.quantile(1)) > .seconds(80_000))
  }

  @Test func onlyTheLastMinuteCounts() throws {
    var recent = RecentLatency()
    let at = { (seconds: Int64) in MonotonicTime(nanoseconds: seconds * 1_000_000_000) }
    recent.add(.seconds(9), now: at(1))
    recent.add(.milliseconds(1), now: at(35))
    #expect(recent.histogram.count == 2)
    recent.add(.milliseconds(1), now: at(70))
    #expect(recent.histogram.count == 2)
    #expect(try #require(recent.histogram.quantile(1)) < .milliseconds(2))
    // After a long silence nothing of before counts.
    recent.add(.milliseconds(1), now: at(500))
    #expect(recent.histogram.count == 1)
  }
}
