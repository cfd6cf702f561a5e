import Posix

// The question that the cluster has not answered yet, as a value without a clock: where the first record of a lane waits for
// the answer, it is said which.

/// What was asked and is waited for.
struct OpenQuestion: Sendable {
  private var open: (what: String, since: MonotonicTime)?
  private var isReported = false

  /// It is asked, maybe once more.
  mutating func asked(_ what: String, now: MonotonicTime) {
    if open?.what == what { return }
    (open, isReported) = ((what, now), false)
  }

  mutating func answered(_ what: String) {
    if open?.what == what { (open, isReported) = (nil, false) }
  }

  /// What has been waited for too long, once for each question.
  mutating func overdue(after patience: Duration, now: MonotonicTime) -> String? {
    guard let open, !isReported, now - open.since >= patience else { return nil }
    isReported = true
    return open.what
  }
}
