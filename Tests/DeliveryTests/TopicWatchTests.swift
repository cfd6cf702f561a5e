import Testing

@testable import Delivery

/// What is said of topics, as a table.
@Suite struct TopicWatchTests {
  private func lines(_ counts: [Int?]) -> [String] {
    var watch = TopicWatch()
    return counts.map { count in
      switch watch.observe("t", partitionCount: count) {
      case .info(let text)?: "info \(text)"
      case .warning(let text)?: "warning \(text)"
      case nil: ""
      }
    }
  }

  @Test func aTopicThatIsThereIsSaidOnce() {
    #expect(lines([4, 4, 4]) == ["info topic 't' has 4 partitions", "", ""])
    #expect(lines([1]) == ["info topic 't' has 1 partition"])
  }

  @Test func aTopicThatAppears() {
    let lines = lines([nil, nil, 2])
    #expect(lines[0].hasPrefix("warning topic 't' does not exist yet"))
    #expect(lines[1...] == ["", "info topic 't' was created with 2 partitions"])
  }

  /// Order across the change is lost, and nobody else would say so.
  @Test func aChangeUnderARunningGateway() {
    let lines = lines([4, 6, 6, nil, 6])
    #expect(lines[1].hasPrefix("warning topic 't' has 6 partitions instead of 4: cameras move"))
    #expect(lines[2...] == ["", "warning topic 't' was deleted", "info topic 't' was created with 6 partitions"])
  }

  @Test func topicsAreApart() {
    var watch = TopicWatch()
    _ = watch.observe("a", partitionCount: 4)
    #expect(watch.observe("b", partitionCount: 6) == .info("topic 'b' has 6 partitions"))
    #expect(watch.partitionCount(of: "a") == 4)
    #expect(watch.partitionCount(of: "c") == nil)
  }
}
