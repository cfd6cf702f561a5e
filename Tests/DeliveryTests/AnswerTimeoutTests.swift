import Posix
import Testing

@testable import Delivery

/// How long the cluster's answers are waited for, and what is said meanwhile.
@Suite struct AnswerTimeoutTests {
  private func at(_ second: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: second * 1_000_000_000) }

  /// An answer that takes the link 40 s is waited for long enough at the fourth time.
  @Test func growsUntilAnAnswerComes() {
    var timeout = AnswerTimeout(from: .seconds(5), to: .seconds(60))
    var limits: [Int32] = []
    for _ in 0..<6 {
      limits.append(timeout.milliseconds)
      timeout.missed()
    }
    #expect(limits == [5_000, 10_000, 20_000, 40_000, 60_000, 60_000])
    timeout.answered()
    #expect(timeout.milliseconds == 5_000)
  }

  @Test func whatIsWaitedForIsSaidOnce() {
    var question = OpenQuestion()
    var reports: [String] = []
    for second in 0...60 as ClosedRange<Int64> {
      question.asked("the partitions of topic 't'", now: at(second))
      if let what = question.overdue(after: .seconds(20), now: at(second)) { reports.append("\(second): \(what)") }
    }
    #expect(reports == ["20: the partitions of topic 't'"])
    question.answered("the partitions of topic 't'")
    question.asked("the end of partition t/0", now: at(61))
    #expect(question.overdue(after: .seconds(20), now: at(80)) == nil)
    #expect(question.overdue(after: .seconds(20), now: at(81)) == "the end of partition t/0")
  }
}
