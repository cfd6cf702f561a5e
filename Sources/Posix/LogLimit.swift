import Synchronization

// What keeps a log short whatever cameras and brokers do. Each subject may write a burst of lines, and then one a second;
// what goes beyond is counted, and said in few lines now and then. Errors, warnings and news have limits of their own, so
// that a flood of one hides nothing of the others. Bounded: neither the subjects nor the texts that are kept grow.

/// What one subject may still write of one level. A value without a clock.
struct LineAllowance {
  /// A line that was left out, and how often.
  struct Repeated: Equatable {
    var text: String
    var count: Int
  }

  /// What was left out since it was last said.
  struct Omission: Equatable {
    /// The first different texts, each with how often it was left out.
    var repeated: [Repeated] = []
    /// Lines with other texts.
    var otherCount = 0
  }

  /// Lines that may come at once.
  static let burst = 100
  /// After this time one more may come.
  static let interval = Duration.seconds(1)
  /// How often what was left out is said.
  static let reportInterval = Duration.seconds(10)
  /// So many different texts are told apart.
  static let textLimit = 3

  private var available = LineAllowance.burst
  /// Up to when `available` was filled up.
  private var filledUp: MonotonicTime
  private var omission = Omission()
  private var omittedSince: MonotonicTime?

  init(now: MonotonicTime) { filledUp = now }

  /// Whether a line may be written; if not, it is counted.
  mutating func allows(_ text: String, now: MonotonicTime) -> Bool {
    let earned = (now - filledUp).nanoseconds / LineAllowance.interval.nanoseconds
    if earned > 0 {
      available = Int(min(Int64(LineAllowance.burst), Int64(available) + earned))
      filledUp = filledUp + .nanoseconds(earned * LineAllowance.interval.nanoseconds)
    }
    if available > 0 {
      available -= 1
      return true
    }
    if omittedSince == nil { omittedSince = now }
    if let index = omission.repeated.firstIndex(where: { $0.text == text }) {
      omission.repeated[index].count += 1
    } else if omission.repeated.count < LineAllowance.textLimit {
      omission.repeated.append(Repeated(text: text, count: 1))
    } else {
      omission.otherCount += 1
    }
    return false
  }

  /// What was left out, once it is time to say so, or at once with `isLast`.
  mutating func takeOmission(now: MonotonicTime, isLast: Bool = false) -> Omission? {
    guard let since = omittedSince, isLast || now - since >= LineAllowance.reportInterval else { return nil }
    defer { (omission, omittedSince) = (Omission(), nil) }
    return omission
  }
}

extension LineAllowance.Omission {
  /// As lines of the log.
  var lines: [String] {
    let others = otherCount == 0 ? [] : ["\(counted(otherCount, "more line")) left out: too many in a short time"]
    return repeated.map { "\($0.text) (repeated \(counted($0.count, "time")))" } + others
  }
}

/// The allowances of all subjects of a log, shared by its threads.
final class LogLimit: Sendable {
  /// Of whom, and how much it matters.
  struct Key: Hashable {
    var subject: String
    var level: Log.Level
  }

  /// Subjects that are told apart; more share one.
  static let subjectLimit = 1_000

  private let allowances = Mutex<[Key: LineAllowance]>([:])
  private let end = Atomic(false)

  /// Whether the log has ended: nothing may be written any more.
  var isClosed: Bool { end.load(ordering: .relaxed) }

  func close() { end.store(true, ordering: .relaxed) }

  /// Whether a line may be written, and what was left out before it and is to be said first.
  func take(_ key: Key, _ text: String, now: MonotonicTime) -> (isAllowed: Bool, omission: LineAllowance.Omission?) {
    allowances.withLock { allowances in
      let isKnown = allowances[key] != nil || allowances.count < LogLimit.subjectLimit
      let key = isKnown ? key : Key(subject: "", level: key.level)
      // In its place: a copy would cost an allocation a line.
      let omission = allowances[key]?.takeOmission(now: now)
      let isAllowed = allowances[key, default: LineAllowance(now: now)].allows(text, now: now)
      return (isAllowed, omission)
    }
  }

  /// What was left out and is due, of all subjects.
  func takeOmissions(now: MonotonicTime, isLast: Bool) -> [(key: Key, omission: LineAllowance.Omission)] {
    allowances.withLock { allowances in
      allowances.keys.sorted { ($0.subject, $0.level.rawValue) < ($1.subject, $1.level.rawValue) }.compactMap { key in
        allowances[key]?.takeOmission(now: now, isLast: isLast).map { (key, $0) }
      }
    }
  }
}
