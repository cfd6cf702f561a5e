import Backlog
import Delivery
import DiskRing
import Frames
import Posix
import Records

// The backlog of a gateway, and who the gateway is: a ring on disk gives its id and its epoch, so that what it holds keeps
// its name over restarts. A ring that cannot be opened never keeps the gateway from capturing.

/// The backlog with its lanes.
struct GatewayBuffer {
  let backlog: Backlog
  let identity: GatewayIdentity
  /// Those of the cameras, in their order; with live-first those for what they had to wait with, in the same order; then
  /// those of which an earlier run has left something on disk.
  let lanes: [LaneDescription]
  /// What is known about the cameras; kept on disk.
  let learnt: LearntCameras
  /// Where refused frames are kept; nil without a disk.
  let quarantine: Quarantine?

  init(_ plan: GatewayPlan, log: Log) {
    let live = plan.cameras.map { LaneDescription(camera: $0.description.name, topic: $0.topic) }
    let backfill = live.map {
      LaneDescription(camera: $0.camera, topic: plan.backfillTopic ?? $0.topic, isBackfill: true)
    }
    let present = plan.isLiveFirst ? live + backfill : live
    let disk = plan.disk.flatMap { GatewayBuffer.open($0, present, log) }
    if disk == nil {
      log.warning("frames are buffered in memory only (\(plan.memoryBudget >> 20) MiB): a power cut loses them")
    }
    lanes =
      present
      + (disk?.facts.lanes.dropFirst(present.count) ?? []).map { LaneDescription($0, topicOtherwise: live[0].topic) }
    if let facts = disk?.facts {
      identity = GatewayIdentity(gateway: plan.name, ringIDs: facts.ringIDs, epoch: facts.epoch)
    } else {
      identity = .ephemeral(gateway: plan.name, nanosecondsSince1970: WallClock.nanosecondsSince1970())
    }
    backlog = Backlog(
      laneCount: lanes.count, memoryBudget: plan.memoryBudget,
      largestFrame: FrameHeaders.largestFrame(messageMaxBytes: plan.messageMaxBytes), disk: disk)
    learnt = LearntCameras(of: plan.cameras.map(\.description), disk: disk, log: log)
    if plan.isLiveFirst {
      for lane in live.indices { backlog.pair(Lane(index: lane), with: Lane(index: live.count + lane)) }
    }
    quarantine = disk.flatMap { _ in plan.disk }.map { disk in
      Quarantine(directory: Quarantine.directory(ofRing: disk.directory), log: log)
    }
    if let kept = quarantine?.count.kept, kept > 0 {
      log.warning("\(kept) frames that Kafka refused for good are kept; `camgate ring quarantine` lists them")
    }
  }

  private static func open(_ options: DiskOptions, _ lanes: [LaneDescription], _ log: Log) -> DiskBuffer? {
    do throws(RingError) {
      let disk = try DiskBuffer.open(options, lanes: lanes.map(\.stream), log: log)
      describe(disk.facts, in: options.directory, log)
      return disk
    } catch {
      log.error("buffer.directory \(options.directory) cannot be used: \(error)")
      return nil
    }
  }

  private static func describe(_ facts: DiskFacts, in directory: String, _ log: Log) {
    let left = facts.leftovers.reduce(0) { $0 + $1.recordCount }
    log.info(
      "ring in \(directory): \(facts.byteCount >> 20) MiB\(facts.recovery.isNew ? ", new" : ""); "
        + (left == 0 ? "nothing waits on disk" : "\(left) frames of earlier runs wait on disk"))
    if facts.recovery.hasDamage {
      let what = facts.recovery.findings.prefix(5).map { "\($0.recoveryCase) in \($0.file)" }
      log.warning(
        "the ring was repaired: \(facts.recovery.lostByteCount) bytes are lost (\(what.joined(separator: ", ")))")
    }
    for failure in facts.recovery.failures.prefix(5) { log.warning("the ring: \(failure)") }
    if facts.endedBadly {
      log.warning("the run before this one did not end in order: frames that were only in memory are lost")
    }
  }
}

/// How lanes are called on disk: a camera's second lane has a name that no camera can have.
extension LaneDescription {
  private static let backfillSuffix = "/backfill"

  var stream: StreamDescription {
    StreamDescription(name: camera.text + (isBackfill ? LaneDescription.backfillSuffix : ""), topic: topic)
  }

  /// The lane of a stream that an earlier run has left. A ring whose every copy of a name is damaged gives it a number
  /// for a name, and no topic.
  fileprivate init(_ stream: StreamDescription, topicOtherwise topic: String) {
    let isBackfill = stream.name.hasSuffix(LaneDescription.backfillSuffix)
    let name = isBackfill ? String(stream.name.dropLast(LaneDescription.backfillSuffix.count)) : stream.name
    self.init(
      camera: CameraName(name) ?? CameraName("unnamed")!, topic: stream.topic.isEmpty ? topic : stream.topic,
      isBackfill: isBackfill)
  }
}
