import Posix
import Testing

@testable import Delivery

/// Bytes under way follow the acknowledged rate: whole links are played, step by step.
@Suite struct SendWindowTests {
  static let timeout = Duration.seconds(60)

  /// A link that carries `rate` bytes a second, one byte behind the other, and acknowledges what has arrived.
  private struct Link {
    var window: SendWindow
    var rate: Double
    var now = MonotonicTime(nanoseconds: 0)
    var queue: [(byteCount: Int, sent: MonotonicTime)] = []
    var freeAt = MonotonicTime(nanoseconds: 0)
    var longestWait = Duration.zero
    var arrivedBytes = 0
    var largestFlight = 0

    /// Fills the window with records of `byteCount` and lets the first of them arrive.
    mutating func step(_ byteCount: Int) {
      while window.hasRoom(for: byteCount) {
        window.sent(byteCount, now: now)
        queue.append((byteCount, now))
      }
      largestFlight = max(largestFlight, window.byteCount)
      let first = queue.removeFirst()
      let arrival = max(freeAt, first.sent) + .milliseconds(Int(Double(first.byteCount) / rate * 1_000))
      while now + .seconds(1) < arrival {
        now = now + .seconds(1)
        window.tick(now: now)
      }
      (now, freeAt) = (arrival, arrival)
      longestWait = max(longestWait, now - first.sent)
      arrivedBytes += first.byteCount
      window.acknowledged(first.byteCount, now: now)
    }
  }

  private func link(bitsPerSecond: Double) -> Link {
    Link(window: SendWindow(largest: 16 << 20, timeout: Self.timeout), rate: bitsPerSecond / 8)
  }

  /// Nothing waits for its acknowledgement as long as librdkafka would, and the link is never empty.
  @Test(arguments: [64_000, 256_000, 2_000_000, 100_000_000] as [Double])
  func everyLinkIsFullAndNoRecordTimesOut(bitsPerSecond: Double) {
    var link = link(bitsPerSecond: bitsPerSecond)
    for _ in 0..<400 { link.step(20_000) }
    #expect(link.longestWait < Self.timeout * 0.6)
    let carried = Double(link.arrivedBytes) / (link.now - MonotonicTime(nanoseconds: 0)).inSeconds
    #expect(carried > bitsPerSecond / 8 * 0.95)
  }

  @Test func aFastLinkHasAllOfTheWindow() {
    var link = link(bitsPerSecond: 1e9)
    for _ in 0..<2_000 { link.step(200_000) }
    #expect(link.window.limit == 16 << 20)
  }

  /// 64 kbit/s carry 160 kB in 20 s.
  @Test func aSlowLinkHasAThirdOfTheTimeout() {
    var link = link(bitsPerSecond: 64_000)
    for _ in 0..<50 { link.step(20_000) }
    #expect((150_000...170_000).contains(link.window.limit), "\(link.window.limit)")
  }

  @Test func aLinkThatBecomesSlowIsFollowed() {
    var link = link(bitsPerSecond: 8_000_000)
    for _ in 0..<500 { link.step(50_000) }
    let before = link.window.limit
    link.rate = 8_000
    while link.window.byteCount > 200_000 { link.step(20_000) }
    #expect(before > 10_000_000)
    #expect(link.window.limit < 200_000)
  }

  @Test func aLinkThatBecomesFastIsFollowed() {
    var link = link(bitsPerSecond: 64_000)
    for _ in 0..<50 { link.step(20_000) }
    link.rate = 10_000_000
    for _ in 0..<200 { link.step(20_000) }
    #expect(link.window.limit == 16 << 20)
  }

  /// Cameras that send less than the link carries must not be taken for a slow link.
  @Test func aLinkThatIsMostlyIdleKeepsItsWindow() {
    var window = SendWindow(largest: 16 << 20, timeout: Self.timeout)
    var now = MonotonicTime(nanoseconds: 0)
    for _ in 0..<1_000 {
      window.sent(30_000, now: now)
      window.acknowledged(30_000, now: now + .milliseconds(10))
      now = now + .seconds(1)
    }
    #expect(window.limit == 16 << 20)
  }

  @Test func withoutAcknowledgementsTheWindowShrinksToItsLeast() {
    var window = SendWindow(largest: 16 << 20, timeout: Self.timeout)
    window.sent(30_000, now: MonotonicTime(nanoseconds: 0))
    window.tick(now: MonotonicTime(nanoseconds: 19_999_999_999))
    #expect(window.limit == SendWindow.initial)
    for second in stride(from: 20, through: 400, by: 20) as StrideThrough<Int64> {
      window.tick(now: MonotonicTime(nanoseconds: second * 1_000_000_000))
    }
    #expect(window.limit == SendWindow.smallest)
  }

  @Test func whatIsLargerThanTheWindowGoesAlone() {
    var window = SendWindow(largest: 1_000, timeout: Self.timeout)
    #expect(window.hasRoom(for: 5_000))
    window.sent(5_000, now: MonotonicTime(nanoseconds: 0))
    #expect(!window.hasRoom(for: 1))
    window.failed(5_000, now: MonotonicTime(nanoseconds: 1))
    #expect(window.byteCount == 0)
    #expect(window.hasRoom(for: 5_000))
  }

  /// A link that lets a little through at once and the rest slowly: what a small record shows is not what a large one meets.
  @Test func aSmallRecordThatPassesAtOnceProvesLittle() {
    var window = SendWindow(largest: 16 << 20, timeout: .seconds(10))
    window.sent(2_280, now: MonotonicTime(nanoseconds: 0))
    window.acknowledged(2_280, now: MonotonicTime(nanoseconds: 5_000_000))
    #expect(window.limit <= SendWindow.initial)
    #expect(window.recordBytes(forFrameOf: 600_000, least: 15_104) <= SendWindow.initial / 4)
  }

  /// A frame of a megabyte takes two minutes at 64 kbit/s, twice what librdkafka allows a request.
  @Test func onASlowLinkLargeFramesGoInParts() {
    var link = link(bitsPerSecond: 64_000)
    #expect(link.window.recordBytes(forFrameOf: 1_000_000, least: 15_104) == 64 << 10, "nothing is known yet")
    #expect(link.window.recordBytes(forFrameOf: 300_000, least: 15_104) == 300_000)
    for _ in 0..<50 { link.step(20_000) }
    #expect((15_360...45_000).contains(link.window.recordBytes(forFrameOf: 1_000_000, least: 15_104)))
    #expect(link.window.recordBytes(forFrameOf: 200_000, least: 15_104) == 200_000)
    link.rate = 1_000_000
    for _ in 0..<200 { link.step(20_000) }
    #expect(link.window.recordBytes(forFrameOf: 1_000_000, least: 15_104) == 1_000_000)
  }
}
