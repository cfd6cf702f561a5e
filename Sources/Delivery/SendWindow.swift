import Posix

// How many bytes may be under way, as a pure state machine. librdkafka gives a request up after `socket.timeout.ms` and
// sends it again; on a slow link a full pipe would outlast that for ever. So no more is sent than a third of that time
// can carry at the rate the brokers acknowledge.

/// The limit of bytes that were sent and are not acknowledged.
struct SendWindow: Sendable {
  /// What the limit is before any rate is known: half a minute's worth of the slowest link that makes sense, 64 kbit/s.
  static let initial = 256 << 10
  /// The slowest link that makes sense, bytes a second.
  static let slowest = 8_000.0
  /// The limit never falls below, so that a link that stalled can show what it carries.
  static let smallest = 64 << 10
  /// The link is trusted with so many times what it has carried: a link may let a little through at once that carries more
  /// only slowly.
  static let trust = 32
  /// A sample is taken when records were under way for this long.
  static let sampleTime = Duration.milliseconds(50)

  /// What the limit is on a fast link, bytes.
  let largest: Int
  private let horizon: Duration
  private var busySince: MonotonicTime?
  private var lastProgress: MonotonicTime?
  private var acknowledgedInSample = 0
  /// Bytes that the link has carried in all.
  private var carriedCount = 0
  /// Bytes under way.
  private(set) var byteCount = 0
  /// The limit at the moment, bytes.
  private(set) var limit: Int
  /// Acknowledged bytes a second while records were under way; nil before the first sample.
  private(set) var rate: Double?

  /// - Parameters:
  ///   - largest: what the limit is on a fast link, bytes.
  ///   - timeout: after this time librdkafka gives a request up.
  init(largest: Int, timeout: Duration) {
    (self.largest, horizon) = (largest, timeout / 3)
    limit = min(largest, SendWindow.initial)
  }

  /// Whether `count` more bytes may be sent; always when nothing is under way.
  func hasRoom(for count: Int) -> Bool { byteCount == 0 || byteCount + count <= limit }

  mutating func sent(_ count: Int, now: MonotonicTime) {
    if byteCount == 0 { (busySince, lastProgress, acknowledgedInSample) = (now, now, 0) }
    byteCount += count
  }

  /// The broker has taken so many of them.
  mutating func acknowledged(_ count: Int, now: MonotonicTime) {
    byteCount -= count
    acknowledgedInSample += count
    carriedCount += count
    lastProgress = now
    guard let start = busySince, now - start >= SendWindow.sampleTime || byteCount == 0 else { return }
    let elapsed = max(now - start, .milliseconds(1)).inSeconds
    let sample = Double(acknowledgedInSample) / elapsed
    // What little was sent shows less than the link carries when it was over too soon to measure; a whole second of it is
    // no accident.
    if let before = rate, sample < before {
      if elapsed >= 1 {
        rate = sample
      } else if elapsed >= SendWindow.sampleTime.inSeconds {
        rate = (before + sample) / 2
      }
    } else {
      rate = rate.map { ($0 + sample) / 2 } ?? sample
    }
    follow()
    (busySince, acknowledgedInSample) = (now, 0)
  }

  /// They failed or were given up: nothing is known of the link.
  mutating func failed(_ count: Int, now: MonotonicTime) {
    byteCount -= count
    (busySince, acknowledgedInSample) = (now, 0)
  }

  /// Time passes: without any acknowledgement for a third of the timeout the link is slower than was thought.
  mutating func tick(now: MonotonicTime) {
    guard byteCount > 0, let last = lastProgress, now - last >= horizon else { return }
    lastProgress = now
    limit = max(SendWindow.smallest, limit / 2)
  }

  /// What a record of a frame of `count` bytes may be: the whole frame, unless the link could not carry it in two thirds
  /// of the timeout; then a quarter of what may be under way, at least `least`. While the rate is unknown the link may be
  /// the slowest: a record that never arrives would never show it.
  func recordBytes(forFrameOf count: Int, least: Int) -> Int {
    let time = horizon.inSeconds * 2
    let proven = max(SendWindow.slowest * time, Double(carriedCount) * Double(SendWindow.trust))
    guard Double(count) > min((rate ?? SendWindow.slowest) * time, proven) else { return count }
    return max(least, limit / 4)
  }

  private mutating func follow() {
    guard let rate else { return }
    let proven = max(Double(SendWindow.initial), Double(carriedCount) * Double(SendWindow.trust))
    limit = Int(min(Double(largest), proven, max(Double(SendWindow.smallest), rate * horizon.inSeconds)))
  }
}
