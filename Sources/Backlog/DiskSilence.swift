import Posix
import Synchronization

// A disk that does not answer: a card that cleans up stalls for seconds, a dying one for good. Only its own threads
// wait for it; this is how others see it, and what is said of it.

/// Whether the threads of the disk show progress. Written by the thread `backlog`, read by any.
final class DiskPulse: Sendable {
  private let round = Heartbeat()
  /// Nanoseconds; `Int64.max` while no sync is under way.
  private let syncStart = Atomic<Int64>(.max)
  private let isWatched = Atomic<Bool>(false)

  /// A round of the thread `backlog` begins, with a sync under way since `syncStart`, or none.
  func beat(syncStart start: MonotonicTime?) {
    round.beat()
    syncStart.store(start?.nanoseconds ?? .max, ordering: .relaxed)
    isWatched.store(true, ordering: .relaxed)
  }

  /// There will be no more rounds.
  func end() { isWatched.store(false, ordering: .relaxed) }

  /// For how long a call to the disk may have been under way; up to a second when all is well.
  func silence(now: MonotonicTime) -> Duration {
    guard isWatched.load(ordering: .relaxed) else { return .zero }
    let start = syncStart.load(ordering: .relaxed)
    return start == .max
      ? round.age(now: now) : max(now - MonotonicTime(nanoseconds: start), round.age(now: now))
  }
}

/// What is said of syncs that do not return: at first, when that has lasted twice as long, and when it is over.
struct DiskSilence {
  enum News: Equatable {
    case silent(Duration)
    /// It answers again, after about so long.
    case answered(Duration)
  }

  /// Shorter stalls are ordinary, and not worth a line.
  static let threshold = Duration.seconds(5)

  private var longest = Duration.zero
  private var told: Duration?

  /// What is new; `silence` is how long the sync that is under way has been so, zero while there is none.
  mutating func look(_ silence: Duration) -> News? {
    if silence < longest, let told {
      defer { self = DiskSilence() }
      return .answered(max(longest, told))
    }
    longest = silence
    guard silence >= told.map({ $0 * 2 }) ?? DiskSilence.threshold else { return nil }
    told = silence
    return .silent(silence)
  }
}
