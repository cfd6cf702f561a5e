import Broker
import Posix
import Records

// Reads the tails of partitions, with a client of its own, on the thread of whoever asks. A cluster that cannot be reached
// is waited for, because without it nothing can be sent anyway; one that refuses to be read is not.

/// Finds out which frames of a ring lie in Kafka behind given places.
struct TailReader: Sendable {
  /// From where on a partition is read.
  enum Start: Equatable {
    case offset(Int64)
    /// Only its newest records, for what others may have written meanwhile: nothing of ours is on its way.
    case newest

    /// Where both are read.
    static func earlier(_ left: Start, _ right: Start) -> Start {
      switch (left, right) {
      case (.offset(let left), .offset(let right)): .offset(min(left, right))
      case (.newest, let other), (let other, .newest): other
      }
    }
  }

  enum Result {
    /// What lies under the ids of our frames, by the key of their records, and the keys with records of this run.
    case found([String: [FrameID: [RecordedFrame]]], repeatedKeys: Set<String>, TailReading.Outcome)
    /// The cluster does not let us look.
    case refused(BrokerError)
  }

  let brokers: String
  let clientID: String
  let security: Security
  let properties: [ClientProperty]
  let identity: GatewayIdentity
  var limits = TailReading.Limits()
  /// What librdkafka says of the cluster meanwhile; may be called from any thread.
  var onEvent: @Sendable (ClientEvent) -> Void = { _ in }

  /// So many records are the newest.
  private static let newestCount: Int64 = 500

  /// How long one question may take at first, and at most when there was no answer; how soon it is asked again.
  private static let patience = Duration.seconds(1)
  private static let longestPatience = Duration.seconds(60)
  private static let retry = Duration.milliseconds(500)
  /// A cluster that has said nothing for so long may be away.
  private static let silence = Duration.seconds(5)

  /// Reads each partition from its offset on and tells what was found, one partition after another as they end. Returns
  /// when all have, or when `isStopping`.
  func read(
    _ tails: [TopicPartition: Start], isStopping: () -> Bool, told: (TopicPartition, Result) -> Void
  ) throws(BrokerError) {
    let reader = try PartitionReader(
      brokers: brokers, clientID: clientID, security: security, properties: properties, onEvent: onEvent)
    var session = Session(reader: reader, tails: tails)
    while !session.tails.isEmpty, !isStopping() {
      if session.readings.count < session.tails.count, session.nextQuestion <= .now() { ask(&session, told) }
      switch reader.poll(milliseconds: 50) {
      case .record(let record)?:
        session.readings[TopicPartition(topic: record.topic, partition: record.partition)]?.take(
          offset: record.offset, value: record.value, key: record.key, headers: record.headers, now: .now())
      case .end(let place)?: session.readings[place]?.reachedEnd(now: .now())
      case .error(let error, let place?)? where error.disposition == .hold:
        session.end(place)
        told(place, .refused(error))
      case .error?, nil: break
      }
      conclude(&session, told)
    }
  }

  private struct Session {
    let reader: PartitionReader
    /// What is to be read, and from where.
    var tails: [TopicPartition: Start]
    var readings: [TopicPartition: TailReading] = [:]
    var nextQuestion = MonotonicTime.now()
    var timeout = AnswerTimeout(from: TailReader.patience, to: TailReader.longestPatience)

    mutating func end(_ place: TopicPartition) {
      reader.stop(place)
      (tails[place], readings[place]) = (nil, nil)
    }
  }

  /// Asks for the ends of the partitions that are not being read yet, and begins to read them.
  private func ask(_ session: inout Session, _ told: (TopicPartition, Result) -> Void) {
    for (place, from) in session.tails where session.readings[place] == nil {
      do throws(BrokerError) {
        let range = try session.reader.offsets(of: place, milliseconds: session.timeout.milliseconds)
        session.timeout.answered()
        try session.reader.start(place, at: TailReader.first(of: range, from))
        var limits = limits
        if from == .newest { limits.quiet = .zero }
        session.readings[place] = TailReading(identity: identity, end: range.upperBound, limits: limits, now: .now())
      } catch {
        guard error.disposition == .hold else {
          session.timeout.missed()
          continue
        }
        session.end(place)
        told(place, .refused(error))
      }
    }
    session.nextQuestion = .now() + TailReader.retry
  }

  /// The offset that is read first.
  private static func first(of range: Range<Int64>, _ start: Start) -> Int64 {
    switch start {
    // A topic that ends before this offset was recreated.
    case .offset(let offset): offset > range.upperBound ? range.lowerBound : max(offset, range.lowerBound)
    case .newest: max(range.lowerBound, range.upperBound - newestCount)
    }
  }

  private func conclude(_ session: inout Session, _ told: (TopicPartition, Result) -> Void) {
    for (place, reading) in session.readings {
      guard let outcome = reading.outcome(now: .now()) else { continue }
      // Out of time, and nothing heard for long: an outage does not count.
      if case .cut = outcome, MonotonicTime.now() - reading.lastAnswer >= TailReader.silence,
        !isReachable(session, place)
      {
        session.reader.stop(place)
        session.readings[place] = nil
        continue
      }
      session.end(place)
      told(place, .found(reading.found, repeatedKeys: reading.repeatedKeys, outcome))
    }
  }

  private func isReachable(_ session: Session, _ place: TopicPartition) -> Bool {
    do throws(BrokerError) {
      _ = try session.reader.offsets(of: place, milliseconds: session.timeout.milliseconds)
      return true
    } catch { return error.disposition == .hold }
  }
}
