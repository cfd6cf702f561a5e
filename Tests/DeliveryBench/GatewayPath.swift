import Backlog
import Broker
import Delivery
import DiskRing
import Frames
import Posix

// The same records through the backlog, its ring on disk and the forwarder.

/// Lanes of a gateway without cameras: the bench plays them.
final class GatewayPath {
  static let cameraCount = 4

  let backlog: Backlog
  let forwarder: Forwarder
  private let payload: Payload

  /// How it is set up.
  struct Options {
    var brokers: String
    var topic: String
    var directory: String
    var frameByteCount: Int
    var rate: Int?
    var isLiveFirst = false
    var write = BufferWrite.always
  }

  static func configuration(_ options: Options) -> Forwarder.Configuration {
    Forwarder.Configuration(
      brokers: options.brokers, clientID: "bench", messageMaxBytes: 1 << 20, windowBytes: 16 << 20,
      catchUpRate: options.rate, resumeQuiet: .seconds(1))
  }

  static func lanes(_ options: Options) -> [LaneDescription] {
    let live = (0..<cameraCount).map { LaneDescription(camera: CameraName("cam-\($0)")!, topic: options.topic) }
    let backfill = live.map { LaneDescription(camera: $0.camera, topic: $0.topic, isBackfill: true) }
    return options.isLiveFirst ? live + backfill : live
  }

  init(_ options: Options) throws {
    let log = Log(level: .warning)
    let lanes = GatewayPath.lanes(options)
    let disk = try DiskBuffer.open(
      DiskOptions(
        directory: options.directory, ring: RingOptions(size: .bytes(512 << 20), minimumEpoch: 1),
        write: options.write),
      lanes: lanes.map {
        StreamDescription(name: $0.camera.text + ($0.isBackfill ? "/backfill" : ""), topic: $0.topic)
      },
      log: log)
    backlog = Backlog(laneCount: lanes.count, memoryBudget: 64 << 20, largestFrame: 1 << 20, disk: disk)
    if options.isLiveFirst {
      for index in 0..<GatewayPath.cameraCount {
        backlog.pair(Lane(index: index), with: Lane(index: GatewayPath.cameraCount + index))
      }
    }
    forwarder = Forwarder(
      configuration: GatewayPath.configuration(options),
      identity: GatewayIdentity(gateway: "bench", ringIDs: disk.facts.ringIDs, epoch: disk.facts.epoch), lanes: lanes,
      backlog: backlog, log: log)
    payload = benchPayload(options.frameByteCount)
  }

  /// A frame of a camera, all of which share their bytes.
  func append(to camera: Int) {
    backlog.append(benchFrame(payload), to: Lane(index: camera))
  }

  /// Puts so many frames on disk, all cameras together.
  func fill(_ count: Int) {
    for index in 0..<count {
      append(to: index % GatewayPath.cameraCount)
      // What is safe may leave memory; nothing may be dropped.
      guard index % 200 == 199 || index + 1 == count else { continue }
      guard backlog.secure(until: .now() + .seconds(120)) else { preconditionFailure("the disk does not take it") }
    }
    precondition(backlog.drops.allSatisfy(\.isEmpty), "frames were dropped")
  }

  /// Sends everything there is. Bytes a second from the first tenth of the acknowledgements to the last.
  func throughput(_ count: Int) throws -> Double {
    try forwarder.start()
    var (first, before): (MonotonicTime?, UInt64) = (nil, 0)
    while true {
      let bytes = forwarder.status.acknowledgedBytes
      if first == nil, bytes >= UInt64(count / 10 * payload.byteCount) { (first, before) = (.now(), bytes) }
      if forwarder.status.acknowledgedCount >= UInt64(count) { break }
      Thread.sleep(.milliseconds(1))
    }
    guard let first else { return 0 }
    return Double(forwarder.status.acknowledgedBytes - before) / (MonotonicTime.now() - first).inSeconds
  }

  func close() {
    _ = forwarder.drain(until: .now())
    _ = backlog.close()
  }
}

func benchPayload(_ byteCount: Int) -> Payload {
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
  for index in memory.indices { memory[index] = UInt8(truncatingIfNeeded: index &* 167 &+ index >> 8) }
  return Payload(adopting: UnsafeRawBufferPointer(memory)) { memory.deallocate() }
}

func benchFrame(_ payload: Payload) -> Frame {
  Frame(
    codec: .mjpeg, payload: payload, isKeyframe: true, captureTime: WallClock.nanosecondsSince1970(), clock: .gateway,
    pts: 0, width: 640, height: 480)
}
