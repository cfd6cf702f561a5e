import Backlog
import Broker
import Capture
import Delivery
import Frames
import Imaging
import Posix
import Synchronization

// The whole: cameras, backlog, forwarder, started in this order and stopped in the same one. A camera or Kafka that is
// away is no error of the gateway.

/// A running gateway.
package final class Gateway: Sendable {
  private let fleet: Mutex<CameraFleet>
  private let backlog: Backlog
  private let forwarder: Forwarder
  private let log: Log

  package init(_ plan: GatewayPlan, log: Log) {
    self.log = log
    let buffer = GatewayBuffer(plan, log: log)
    let backlog = buffer.backlog
    self.backlog = backlog
    forwarder = Forwarder(
      configuration: plan.delivery, identity: buffer.identity, lanes: buffer.lanes, backlog: backlog,
      quarantine: buffer.quarantine, log: log.about("kafka"))
    fleet = Mutex(CameraFleet(plan, forwarder: forwarder, backlog: backlog, learnt: buffer.learnt, log: log))
  }

  private var cameras: [Camera] { fleet.withLock { $0.cameras } }

  /// Starts everything. Throws when librdkafka refuses its configuration.
  package func start() throws(GatewayError) {
    do throws(BrokerError) { try forwarder.start() } catch { throw GatewayError(message: error.message) }
    for camera in cameras { camera.start() }
  }

  /// Uses these certificates and this login from now on; files are read again. What is wrong with them is logged, and
  /// then the old ones stay.
  package func renew(_ security: Security) { forwarder.renew(security) }

  /// Cameras that wait for their next attempt make it at once.
  package func retryNow() { for camera in cameras { camera.retryNow() } }

  /// From now on these are the cameras. Those that are the same as before are not touched; the others are stopped (for up
  /// to two seconds) and started. Throws when it cannot be, and then all stays as it was. To be called by one thread.
  package func change(to cameras: [GatewayPlan.CameraPlan]) throws(GatewayError) -> CameraChanges {
    var fleet = fleet.withLock { $0 }
    let changes = try fleet.change(to: cameras)
    self.fleet.withLock { $0 = fleet }
    return changes
  }

  /// Stops the cameras; one that hangs in a name server is left to the end of the process.
  package func stopCameras() {
    CameraFleet.stop(cameras, log)
  }

  /// Puts on disk what is not acknowledged, then goes on sending until everything is, for `timeout` or until
  /// `isInterrupted` says so, then stops.
  package func drain(for timeout: Duration, isInterrupted: () -> Bool = { false }) -> Remains {
    if !backlog.waitUntilEmpty(until: .now()) { _ = backlog.secure(until: .now() + Gateway.securingTimeout) }
    let deadline = MonotonicTime.now() + timeout
    while MonotonicTime.now() < deadline && !isInterrupted() {
      if backlog.waitUntilEmpty(until: min(deadline, .now() + .milliseconds(200))) { break }
    }
    _ = forwarder.drain(until: .now())
    let remains = backlog.close()
    return Remains(onDisk: remains.onDisk, lost: remains.lost)
  }

  /// Threads that have to show progress have not for so long. All waiting in the gateway is shorter, or has a deadline.
  static let patience = Duration.seconds(60)
  /// The same for the disk: cards stall for seconds, and as long as Kafka takes frames, memory is worth more than a reset.
  static let diskPatience = Duration.seconds(300)

  /// Which of its threads hang; empty when all is well. Cameras and brokers that are away hang nothing.
  package func hangingThreads(now: MonotonicTime) -> [String] {
    var names = cameras.filter { $0.delay(now: now) > Gateway.patience }.map { "camera \($0.name)" }
    if forwarder.silence(now: now) > Gateway.patience { names.append("kafka") }
    if backlog.diskSilence(now: now) > Gateway.diskPatience { names.append("disk") }
    return names
  }

  /// How long a disk may take at the end.
  private static let securingTimeout = Duration.seconds(30)

  /// How things stand.
  package var snapshot: GatewaySnapshot {
    let fleet = fleet.withLock { $0 }
    let drops = Dictionary(grouping: zip(forwarder.lanes, backlog.drops), by: { $0.0.camera })
      .mapValues { lanes in lanes.reduce(into: DropCounts()) { $0.merge($1.1, uniquingKeysWith: +) } }
    return GatewaySnapshot(
      cameras: fleet.snapshots(drops), delivery: forwarder.status, waitingCount: backlog.waitingCount,
      diskCount: backlog.diskCount, memoryBytes: backlog.byteCount, diskSilence: backlog.diskSilence(now: .now()),
      formerCapturedCount: fleet.formerCapturedCount, formerDroppedCount: fleet.formerDroppedCount(drops))
  }
}

/// Frames that a gateway has not delivered when it stops.
package struct Remains: Sendable {
  /// They wait on disk for the next run.
  package var onDisk: Int
  /// They were in memory only.
  package var lost: Int
}

/// A gateway that could not be started.
package struct GatewayError: Error, Sendable, Equatable {
  package var message: String
}

/// The state of a gateway at one moment.
package struct GatewaySnapshot: Sendable {
  package struct CameraSnapshot: Sendable {
    package var name: CameraName
    package var state: Camera.State
    /// Frames that came from the camera.
    package var capturedCount: UInt64
    /// Frames of it that were dropped on purpose.
    package var drops: DropCounts
  }

  package var cameras: [CameraSnapshot]
  package var delivery: Forwarder.Status
  /// Frames waiting to be sent.
  package var waitingCount: Int
  /// How many of them are on disk only.
  package var diskCount: Int
  /// Bytes of frames in memory that are not acknowledged.
  package var memoryBytes: Int
  /// For how long the disk has not answered; up to a second while it does.
  package var diskSilence: Duration
  /// Frames of cameras that are gone, or were other ones before their settings changed.
  package var formerCapturedCount: UInt64 = 0
  package var formerDroppedCount: UInt64 = 0

  package var capturedCount: UInt64 { cameras.reduce(formerCapturedCount) { $0 + $1.capturedCount } }
  package var droppedCount: UInt64 { cameras.reduce(formerDroppedCount) { $0 + $1.drops.values.reduce(0, +) } }
}
