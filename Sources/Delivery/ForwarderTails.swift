import Backlog
import Broker
import Posix
import Records

// Nothing of a lane is sent while some of it may lie in Kafka already: what an earlier run left on disk, and what a producer
// took with it when it failed. A thread of its own looks; the other lanes go on.

extension Forwarder {
  /// How long until a topic whose partitions are not known yet is looked at again.
  private static let tailRetry = Duration.milliseconds(200)

  /// Lanes of which an earlier run may have sent more than it wrote down, or another copy of its ring anything.
  func beginDoubtful() {
    let leftovers = Set(backlog.lanesWithLeftovers.map(\.index))
    for lane in lanes.indices where leftovers.contains(lane) || backlog.mayRepeatIDs {
      guard backlog.position(of: Lane(index: lane)) != nil else { continue }
      state.withLock { $0.tails.begin(lane, isFinished: !leftovers.contains(lane)) }
    }
  }

  /// Until stopping. Nobody waits for this thread: it may be in the middle of a question.
  func watchTails() {
    while let lanes = doubtfulLanes() {
      do throws(BrokerError) {
        try look(lanes)
      } catch {
        for lane in lanes { giveUp(lane, error) }
      }
    }
  }

  /// The lanes to look for, once there are any and everything of them that was under way is back; nil when stopping.
  private func doubtfulLanes() -> [Int]? {
    let lanes: [Int]?? = state.wait { state in
      if state.isStopping { return .some(nil) }
      let ready = state.tails.doubtful.filter { state.flows[$0].isIdle }.sorted()
      return ready.isEmpty ? nil : .some(ready)
    }
    return lanes ?? nil
  }

  private func look(_ lanes: [Int]) throws(BrokerError) {
    var (tails, readers): ([TopicPartition: TailReader.Start], [TopicPartition: [Int]]) = ([:], [:])
    var search = TailSearch()
    let (identity, unbegun, finished) = state.read { ($0.encoder.identity, $0.tails.unbegun, $0.tails.finished) }
    for lane in lanes {
      guard let position = backlog.position(of: Lane(index: lane)) else {
        conclude(lane, [:])
        continue
      }
      guard let starts = starts(of: lane, position) else { continue }
      search.begin(lane, placeCount: starts.count)
      for (place, offset) in starts {
        let start = finished.contains(lane) ? TailReader.Start.newest : .offset(offset)
        tails[place] = tails[place].map { .earlier($0, start) } ?? start
        readers[place, default: []].append(lane)
      }
    }
    if tails.isEmpty { return wait(Forwarder.tailRetry) }
    let sought = lanes.filter { !finished.contains($0) }.map { self.lanes[$0].camera.text }
    if !sought.isEmpty { log.info("looking in Kafka for frames that were sent and not acknowledged: \(sought)") }
    try tailReader(identity).read(tails, isStopping: { self.currentProducer == nil }) { place, result in
      for lane in readers[place] ?? [] {
        switch result {
        case .refused(let error): self.giveUp(lane, error)
        case .found(let frames, let repeatedKeys, let outcome):
          if unbegun.contains(lane), repeatedKeys.contains(self.key(of: lane)) { self.renewRingID(identity) }
          if case .cut(let why) = outcome { self.explainCut(place, why) }
          let own = frames[self.key(of: lane)] ?? [:]
          search.found(own.mapValues { self.delivered($0, in: place.partition) }, for: lane)
          if let all = search.end(of: lane) { self.conclude(lane, all) }
        }
      }
    }
  }

  private func delivered(_ records: [RecordedFrame], in partition: Int32) -> [DeliveredFrame] {
    records.map { record in
      DeliveredFrame(
        fingerprint: record.fingerprint, position: RecordPosition(partition: partition, offset: record.offset))
    }
  }

  /// Kafka has frames of `identity` that it has not sent: its ids are not its own.
  private func renewRingID(_ identity: GatewayIdentity) {
    let isRenewed = state.read { $0.encoder.identity.ringIDText != identity.ringIDText }
    guard !isRenewed, let renewal = backlog.renewRingID(until: .now() + Forwarder.patience) else { return }
    state.withLock { $0.encoder.identity = identity.renewed(renewal.ids) }
    log.warning(
      "Kafka has frames of \(identity.gateway) with the ids of this run: another copy of the ring has sent them (a card that "
        + "was cloned, or restored from a backup); from now on frames carry a new ring id"
        + (renewal.error.map { ", which could not be written down (\($0))" } ?? ""))
  }

  private func tailReader(_ identity: GatewayIdentity) -> TailReader {
    var limits = TailReading.Limits()
    limits.quiet = configuration.resumeQuiet ?? limits.quiet
    return TailReader(
      brokers: configuration.brokers, clientID: configuration.clientID, security: state.read { $0.security },
      properties: configuration.properties, identity: identity, limits: limits,
      onEvent: { [weak self] in self?.handle($0, fromProducer: nil) })
  }

  /// From where on a lane's records can lie; nil while that is not known.
  private func starts(of lane: Int, _ position: RecordPosition) -> [TopicPartition: Int64]? {
    let topic = lanes[lane].topic
    let count = state.read { $0.topics.partitionCount(of: topic) }
    if position.partition >= 0, count.map({ position.partition < $0 }) ?? true {
      return [TopicPartition(topic: topic, partition: position.partition): max(0, position.offset)]
    }
    // The topic did not exist when the lane began, or was recreated with fewer partitions since.
    return count.map { count in
      Dictionary(uniqueKeysWithValues: (0..<Int32(count)).map { (TopicPartition(topic: topic, partition: $0), 0) })
    }
  }

  /// The key of a lane's records.
  func key(of lane: Int) -> String { "\(state.read { $0.encoder.identity.gateway })/\(lanes[lane].camera)" }

  private func conclude(_ lane: Int, _ frames: [FrameID: [DeliveredFrame]]) {
    if !frames.isEmpty {
      log.info(
        "\(lanes[lane].camera): \(frames.count) of its newest frames are in Kafka already and are not sent again, unless "
          + "their bytes differ")
    }
    state.withLock { $0.tails.know(lane, frames) }
    backlog.wake()
  }

  private func giveUp(_ lane: Int, _ error: BrokerError) {
    defer { conclude(lane, [:]) }
    if state.read({ $0.tails.finished.contains(lane) }) { return }
    log.warning(
      "topic '\(lanes[lane].topic)' cannot be read (\(error.name): \(error.message)): frames of \(lanes[lane].camera) that "
        + "it has already may be sent twice; allow reading it, or set kafka.resume: resend")
  }

  private func explainCut(_ place: TopicPartition, _ why: String) {
    log.warning("looking in partition \(place) ended \(why): frames behind that may be sent twice")
  }
}

/// What was found of lanes whose records may be on several partitions.
private struct TailSearch {
  private var open: [Int: (placeCount: Int, frames: [FrameID: [DeliveredFrame]])] = [:]

  mutating func begin(_ lane: Int, placeCount: Int) { open[lane] = (placeCount, [:]) }

  mutating func found(_ frames: [FrameID: [DeliveredFrame]], for lane: Int) {
    open[lane]?.frames.merge(frames) { $0 + $1 }
    open[lane]?.placeCount -= 1
  }

  /// Everything of the lane, when that was its last partition.
  func end(of lane: Int) -> [FrameID: [DeliveredFrame]]? {
    open[lane].flatMap { $0.placeCount == 0 ? $0.frames : nil }
  }
}
