import Posix
import Testing

@testable import Backlog

/// A sync that does not return is told, and seen by who watches the threads.
@Suite struct DiskSilenceTests {
  @Test func aStallIsToldTwiceAsLateEveryTime() {
    var silence = DiskSilence()
    var news: [DiskSilence.News] = []
    for second in 0...25 { if let new = silence.look(.seconds(second)) { news.append(new) } }
    #expect(news == [.silent(.seconds(5)), .silent(.seconds(10)), .silent(.seconds(20))])
    #expect(silence.look(.zero) == .answered(.seconds(25)))
    #expect(silence.look(.zero) == nil)
    #expect(silence.look(.seconds(6)) == .silent(.seconds(6)))
    // The next sync has begun meanwhile.
    #expect(silence.look(.seconds(1)) == .answered(.seconds(6)))
  }

  @Test func shortStallsAreNotTold() {
    var silence = DiskSilence()
    for second in [0, 4, 0, 3, 1, 4] { #expect(silence.look(.seconds(second)) == nil) }
  }

  @Test func whoeverWatchesSeesASyncAndARound() {
    let (pulse, start) = (DiskPulse(), MonotonicTime.now())
    // A disk that is not in use is not waited for.
    #expect(pulse.silence(now: start + .seconds(900)) == .zero)
    pulse.beat(syncStart: nil)
    #expect(pulse.silence(now: start + .seconds(900)) > .seconds(800))
    let now = MonotonicTime.now()
    pulse.beat(syncStart: MonotonicTime(nanoseconds: now.nanoseconds - 70_000_000_000))
    #expect(pulse.silence(now: now) >= .seconds(70))
    pulse.end()
    #expect(pulse.silence(now: start + .seconds(900)) == .zero)
  }
}
