// What is said of a topic as it is looked at again and again, as a value without a clock. A key leads to another partition
// when their number changes, and then a camera's order is lost for readers.

/// What is known of the topics.
struct TopicWatch: Sendable {
  /// A line for the log.
  enum Line: Equatable {
    case info(String)
    case warning(String)
  }

  private enum Knowledge: Equatable {
    case missing
    case partitions(Int)
  }

  private var topics: [String: Knowledge] = [:]

  /// The number of partitions of a topic that exists.
  func partitionCount(of topic: String) -> Int? {
    if case .partitions(let count)? = topics[topic] { count } else { nil }
  }

  /// The cluster says how many partitions a topic has; nil: there is no such topic.
  mutating func observe(_ topic: String, partitionCount: Int?) -> Line? {
    let before = topics[topic]
    let now = partitionCount.map { Knowledge.partitions($0) } ?? .missing
    topics[topic] = now
    switch (before, now) {
    case (let before?, let now) where before == now: return nil
    case (nil, .partitions(let count)): return .info("topic '\(topic)' has \(partitions(count))")
    case (nil, .missing):
      return .warning("topic '\(topic)' does not exist yet; writing to it creates it where the brokers allow that")
    case (.missing?, .partitions(let count)): return .info("topic '\(topic)' was created with \(partitions(count))")
    case (.partitions?, .missing): return .warning("topic '\(topic)' was deleted")
    case (.partitions(let old)?, .partitions(let new)):
      return .warning(
        "topic '\(topic)' has \(partitions(new)) instead of \(old): cameras move to other partitions, and readers may see "
          + "frames from before and after this moment out of order")
    case (.missing?, .missing): return nil
    }
  }

  private func partitions(_ count: Int) -> String { count == 1 ? "1 partition" : "\(count) partitions" }
}
