import Posix

// How long an answer of the cluster is waited for, as a value without a clock. An answer that comes after the limit is thrown
// away and asked for again, so over a link that is slower than the limit there would never be one: the limit grows with each
// answer that did not come.

/// The limit for the next question.
struct AnswerTimeout: Sendable {
  private let shortest: Duration
  private let longest: Duration
  private(set) var limit: Duration

  init(from shortest: Duration, to longest: Duration) {
    (self.shortest, self.longest, limit) = (shortest, max(shortest, longest), shortest)
  }

  /// As librdkafka wants it.
  var milliseconds: Int32 { Int32(clamping: Int64(limit.inSeconds * 1_000)) }

  /// The cluster has answered, or refused to.
  mutating func answered() { limit = shortest }

  /// No answer came in time.
  mutating func missed() { limit = min(limit * 2, longest) }
}
