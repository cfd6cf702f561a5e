import Backlog
import Delivery
import DiskRing
import Frames
import Posix

// The backlog of a gateway, and who the gateway is: a ring on disk gives its id and its epoch, so that what it holds keeps
// its name over restarts. A ring that cannot be opened never keeps the gateway from capturing.

/// The backlog with its lanes.
struct GatewayBuffer {
  let backlog: Backlog
  let identity: GatewayIdentity
  /// Those of the cameras, in their order, then those of which an earlier run has left something on disk.
  let lanes: [LaneDescription]

  init(_ plan: GatewayPlan, log: Log) {
    let cameras = plan.cameras.map { LaneDescription(camera: $0.description.name, topic: $0.topic) }
    let disk = plan.disk.flatMap { GatewayBuffer.open($0, cameras, log) }
    if disk == nil {
      log.warning("frames are buffered in memory only (\(plan.memoryBudget >> 20) MiB): a power cut loses them")
    }
    let others = (disk?.facts.lanes.dropFirst(cameras.count) ?? []).map { lane in
      // A ring whose every copy of a name is damaged gives the lane a number for a name, and no topic.
      LaneDescription(
        camera: CameraName(lane.name) ?? CameraName("unnamed")!,
        topic: lane.topic.isEmpty ? cameras[0].topic : lane.topic)
    }
    lanes = cameras + others
    if let facts = disk?.facts {
      identity = GatewayIdentity(gateway: plan.name, ringID: facts.ringID, epoch: facts.epoch)
    } else {
      identity = .ephemeral(gateway: plan.name, nanosecondsSince1970: WallClock.nanosecondsSince1970())
    }
    backlog = Backlog(
      laneCount: lanes.count, memoryBudget: plan.memoryBudget,
      largestFrame: RecordEncoder.largestFrame(messageMaxBytes: plan.messageMaxBytes), disk: disk)
  }

  private static func open(_ options: DiskOptions, _ cameras: [LaneDescription], _ log: Log) -> DiskBuffer? {
    do throws(RingError) {
      let disk = try DiskBuffer.open(
        options, lanes: cameras.map { StreamDescription(name: $0.camera.text, topic: $0.topic) }, log: log)
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
