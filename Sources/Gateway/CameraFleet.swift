import Backlog
import Capture
import Delivery
import Frames
import Imaging
import Posix
import Synchronization

// The cameras of a running gateway, and how they become others. A lane lasts as long as the gateway: frames of a camera that
// is gone still have to leave, and one that comes back goes on in its lane, so that no number is used twice. Invariant: one
// whose settings are the same is not touched.

/// What became of the cameras.
package struct CameraChanges: Sendable, Equatable {
  package var added: [CameraName] = []
  package var changed: [CameraName] = []
  package var removed: [CameraName] = []
  package var unchanged: [CameraName] = []

  /// From `old` to `new`. Names are unique in each.
  init(from old: [GatewayPlan.CameraPlan], to new: [GatewayPlan.CameraPlan]) {
    let before = Dictionary(uniqueKeysWithValues: old.map { ($0.description.name, $0) })
    for camera in new {
      let name = camera.description.name
      switch before[name] {
      case nil: added.append(name)
      case camera?: unchanged.append(name)
      case .some: changed.append(name)
      }
    }
    let names = Set(new.map(\.description.name))
    removed = old.map(\.description.name).filter { !names.contains($0) }
  }

  package var isEmpty: Bool { added.isEmpty && changed.isEmpty && removed.isEmpty }

  /// `added gate; removed yard, hall; 12 not touched`
  package var summary: String {
    let parts = [("added", added), ("changed", changed), ("removed", removed)].filter { !$0.1.isEmpty }
      .map { word, names in "\(word) \(names.map(\.text).joined(separator: ", "))" }
    return (parts + ["\(unchanged.count) not touched"]).joined(separator: "; ")
  }
}

/// Cameras with their lanes. A value that shares what it holds.
struct CameraFleet: Sendable {
  /// Lanes that a gateway may have in one run: each costs memory and a place in the ring until it ends.
  static let largestLaneCount = 1_024
  /// How long adding lanes to the ring may take.
  private static let diskPatience = Duration.seconds(10)

  private struct Member: Sendable {
    let plan: GatewayPlan.CameraPlan
    let camera: Camera
    let intake: Intake
  }

  /// Where a camera's frames go.
  private final class Intake: Sendable {
    let capturedCount = Atomic<UInt64>(0)
    /// A camera that was replaced may still be busy somewhere; nothing of it is wanted any more.
    let isClosed = Atomic<Bool>(false)
  }

  private let backlog: Backlog
  private let forwarder: Forwarder
  private let learnt: LearntCameras
  private let isLiveFirst: Bool
  private let backfillTopic: String?
  private let log: Log
  private var members: [Member] = []
  /// What cameras left that are gone; no more of them than lanes.
  private var memories: [CameraName: Camera.Memory] = [:]
  private var formerNames: Set<CameraName> = []
  private var formerLimitedCount: UInt64 = 0
  private(set) var formerCapturedCount: UInt64 = 0

  /// The cameras of the plan, not started; the forwarder has their lanes.
  init(_ plan: GatewayPlan, forwarder: Forwarder, backlog: Backlog, learnt: LearntCameras, log: Log) {
    (self.forwarder, self.backlog, self.learnt, self.log) = (forwarder, backlog, learnt, log)
    (isLiveFirst, backfillTopic) = (plan.isLiveFirst, plan.backfillTopic)
    members = plan.cameras.enumerated().map { index, camera in member(camera, Lane(index: index)) }
  }

  var cameras: [Camera] { members.map(\.camera) }

  private func member(_ plan: GatewayPlan.CameraPlan, _ lane: Lane) -> Member {
    let (name, intake, backlog, learnt) = (plan.description.name, Intake(), backlog, learnt)
    let camera = Camera(
      plan.description, learnt: learnt.known(of: plan.description), log: log.about("camera \(name)"),
      memory: memories[name], encoder: { JPEGEncoder() }, onLearning: { learnt.keep($0, of: plan.description) }
    ) { frame in
      guard !intake.isClosed.load(ordering: .relaxed) else { return }
      intake.capturedCount.add(1, ordering: .relaxed)
      backlog.append(frame, to: lane)
    }
    return Member(plan: plan, camera: camera, intake: intake)
  }

  /// See `Gateway.change`.
  mutating func change(to plans: [GatewayPlan.CameraPlan]) throws(GatewayError) -> CameraChanges {
    let changes = CameraChanges(from: members.map(\.plan), to: plans)
    if changes.isEmpty { return changes }
    let new = Set(changes.added + changes.changed)
    let lanes = try lanes(for: plans.filter { new.contains($0.description.name) })
    retire(Set(changes.removed + changes.changed))
    let kept = Dictionary(uniqueKeysWithValues: members.map { ($0.plan.description.name, $0) })
    members = plans.compactMap { plan in
      kept[plan.description.name] ?? lanes[plan.description.name].map { member(plan, $0) }
    }
    for member in members where kept[member.plan.description.name] == nil {
      formerNames.remove(member.plan.description.name)
      memories[member.plan.description.name] = nil
      member.camera.start()
    }
    learnt.forget(allBut: plans.map(\.description))
    return changes
  }

  private mutating func retire(_ names: Set<CameraName>) {
    let leaving = members.filter { names.contains($0.plan.description.name) }
    CameraFleet.stop(leaving.map(\.camera), log)
    for member in leaving {
      member.intake.isClosed.store(true, ordering: .relaxed)
      formerCapturedCount += member.intake.capturedCount.load(ordering: .relaxed)
      formerLimitedCount += member.camera.limitedCount
      formerNames.insert(member.plan.description.name)
      memories[member.plan.description.name] = member.camera.remains
    }
    members.removeAll { names.contains($0.plan.description.name) }
  }

  /// Stops cameras; one that hangs is left to itself after two seconds.
  static func stop(_ cameras: [Camera], _ log: Log) {
    for camera in cameras { camera.stop() }
    let deadline = MonotonicTime.now() + .seconds(2)
    for camera in cameras where !camera.join(until: deadline) {
      log.warning("camera \(camera.name) is still busy; not waiting for it")
    }
  }

  // MARK: Lanes

  /// The lane of each camera; those that there are not yet are added.
  private func lanes(for plans: [GatewayPlan.CameraPlan]) throws(GatewayError) -> [CameraName: Lane] {
    let live = plans.map { LaneDescription(camera: $0.description.name, topic: $0.topic) }
    let backfill = live.map { LaneDescription(camera: $0.camera, topic: backfillTopic ?? $0.topic, isBackfill: true) }
    let needed = isLiveFirst ? live + backfill : live
    let known = forwarder.lanes
    let missing = needed.filter { !known.contains($0) }
    guard known.count + missing.count <= CameraFleet.largestLaneCount else {
      throw GatewayError(
        message: "restart needed: this run has had \(known.count) cameras and topics, and there is no room for more")
    }
    if !missing.isEmpty { try add(missing) }
    let all = forwarder.lanes
    var result: [CameraName: Lane] = [:]
    for (index, lane) in live.enumerated() {
      guard let own = all.firstIndex(of: lane) else { continue }
      let others = all.indices.filter { all[$0].camera == lane.camera && !all[$0].isBackfill }
      backlog.number(Lane(index: own), behind: others.map { Lane(index: $0) })
      if isLiveFirst, let behind = all.firstIndex(of: backfill[index]) {
        backlog.pair(Lane(index: own), with: Lane(index: behind))
      }
      result[lane.camera] = Lane(index: own)
    }
    return result
  }

  private func add(_ lanes: [LaneDescription]) throws(GatewayError) {
    let forwarder = forwarder
    do throws(LaneError) {
      try backlog.addLanes(lanes.map(\.stream), until: .now() + CameraFleet.diskPatience) { forwarder.add(lanes) }
    } catch {
      throw GatewayError(message: "no lanes for new cameras: \(error.message)")
    }
  }

  // MARK: Looking

  /// How the cameras stand; `drops` are those of their lanes.
  func snapshots(_ drops: [CameraName: DropCounts]) -> [GatewaySnapshot.CameraSnapshot] {
    members.map { member in
      let limited: DropCounts = member.camera.limitedCount > 0 ? [.limited: member.camera.limitedCount] : [:]
      return GatewaySnapshot.CameraSnapshot(
        name: member.camera.name, state: member.camera.state,
        capturedCount: member.intake.capturedCount.load(ordering: .relaxed),
        drops: limited.merging(drops[member.camera.name] ?? [:], uniquingKeysWith: +))
    }
  }

  func formerDroppedCount(_ drops: [CameraName: DropCounts]) -> UInt64 {
    formerNames.reduce(formerLimitedCount) { $0 + (drops[$1]?.values.reduce(0, +) ?? 0) }
  }
}
