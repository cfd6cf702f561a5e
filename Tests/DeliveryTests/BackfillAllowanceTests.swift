import Posix
import Testing

@testable import Delivery

/// A backlog on links of several speeds and lengths, played without waiting.
@Suite struct BackfillAllowanceTests {
  struct Link: Sendable {
    /// Bytes a second.
    var rate: Double
    /// There and back.
    var way: Duration
  }

  static let links = [
    Link(rate: 8_000, way: .milliseconds(50)), Link(rate: 1e6, way: .milliseconds(5)),
    Link(rate: 4e6, way: .milliseconds(80)), Link(rate: 4e6, way: .milliseconds(600)),
    Link(rate: 1e7, way: .milliseconds(1)),
  ]

  /// Sends as much as is allowed, in records of 8 KiB behind frames that came before; returns the share of the link that
  /// was used, and how long records stood in front of the link at most, both in the second half of 40 s.
  private func play(_ link: Link) -> (share: Double, wait: Duration) {
    var allowance = BackfillAllowance()
    let record = 8 << 10
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    let (start, half) = (now, now + .seconds(20))
    var (linkFree, underWay, carried, longest) = (now, [(ack: MonotonicTime, bytes: Int)](), 0, Duration.zero)
    // Before the backlog a few records go alone.
    for _ in 0..<4 {
      now = now + link.way
      allowance.acknowledged(record, latency: link.way, now: now)
    }
    linkFree = now
    while now - start < .seconds(40) {
      while let first = underWay.first, first.ack <= now {
        underWay.removeFirst()
        allowance.acknowledged(first.bytes, latency: nil, now: now)
        if now > half { carried += first.bytes }
      }
      var bytes = underWay.reduce(0) { $0 + $1.bytes }
      while bytes == 0 || bytes + record <= allowance.limit(now: now) {
        let begin = max(now, linkFree)
        if now > half { longest = max(longest, begin - now) }
        linkFree = begin + .nanoseconds(Int64(Double(record) / link.rate * 1e9))
        underWay.append((linkFree + link.way, record))
        bytes += record
      }
      now = now + .milliseconds(5)
    }
    return (Double(carried) / (link.rate * 20), longest)
  }

  @Test(arguments: links)
  func theLinkIsUsedAndNewFramesHardlyWait(_ link: Link) {
    let (share, wait) = play(link)
    #expect(share > 0.9, "\(link): \(share) of the link")
    let most = Double(BackfillAllowance.smallest) / link.rate + 0.25
    #expect(wait.inSeconds <= most, "\(link): a wait of \(wait)")
  }

  @Test func anIdleLinkStartsSmall() {
    let allowance = BackfillAllowance()
    #expect(allowance.limit(now: MonotonicTime(nanoseconds: 5)) == BackfillAllowance.smallest)
  }
}
