import Broker
import DiskRing
import Foundation
import Frames
import Posix
import Testing

@testable import Backlog
@testable import Delivery

/// A card that is restored from a backup, in a board whose clock is not set: the ring has forgotten its last runs, and would
/// number its frames like them.
@Suite struct RestoredRingTests {
  private let cluster: MockCluster
  private let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-copy-\(UUID().uuidString)")
  private var ring: URL { directory.appending(path: "ring") }
  private var backup: URL { directory.appending(path: "backup") }

  init() throws {
    cluster = try MockCluster(brokerCount: 1)
    try cluster.createTopic("cameras", partitionCount: 3)
    try FileManager.default.createDirectory(at: ring, withIntermediateDirectories: true)
  }

  /// One run of a gateway: sends `count` frames of so many bytes, then leaves `left` more on disk.
  private func run(_ count: Int, byteCount: Int, left: Int = 0) throws {
    let lines = Monitor<[String]>([])
    let log = Log(level: .info) { line in lines.withLock { $0.append(line) } }
    var options = DiskOptions(
      directory: ring.path,
      ring: RingOptions(size: .bytes(1 << 20 + 4 << 22), segmentByteCount: 4 << 20, minimumEpoch: 1), write: .always)
    options.clock = { nil }
    let disk = try DiskBuffer.open(options, lanes: [StreamDescription(name: "gate", topic: "cameras")], log: log)
    let backlog = Backlog(laneCount: 1, memoryBudget: 1 << 20, largestFrame: 60_000, disk: disk)
    let forwarder = Forwarder(
      configuration: Forwarder.Configuration(
        brokers: cluster.bootstrapServers, clientID: "test", messageMaxBytes: 64 << 10, windowBytes: 1 << 20,
        resumeQuiet: .milliseconds(200), properties: [ClientProperty("reconnect.backoff.max.ms", "200")]),
      identity: GatewayIdentity(gateway: "g", ringIDs: disk.facts.ringIDs, epoch: disk.facts.epoch),
      lanes: [LaneDescription(camera: try #require(CameraName("gate")), topic: "cameras")], backlog: backlog, log: log)
    try forwarder.start()
    let append = {
      backlog.append(testFrame(Payload([UInt8](repeating: 7, count: byteCount))), to: Lane(index: 0))
    }
    let deadline = MonotonicTime.now() + .seconds(60)
    for _ in 0..<count { append() }
    #expect(backlog.waitUntilEmpty(until: deadline), "\(lines.read { $0 })")
    cluster.setReachable(false)
    for _ in 0..<left { append() }
    #expect(backlog.secure(until: deadline))
    _ = forwarder.drain(until: .now())
    #expect(backlog.close() == (onDisk: left, lost: 0))
    cluster.setReachable(true)
  }

  private func replace(_ target: URL, with source: URL) throws {
    try? FileManager.default.removeItem(at: target)
    try FileManager.default.copyItem(at: source, to: target)
  }

  /// What the restored ring has left unsent was sent by the run that it forgot, and what it captures is new.
  @Test(arguments: [0, 3])
  func itsNewFramesGetIdsOfTheirOwn(left: Int) throws {
    defer { try? FileManager.default.removeItem(at: directory) }
    try run(5, byteCount: 100, left: left)
    try replace(backup, with: ring)
    try run(6, byteCount: 200)
    try replace(ring, with: backup)
    try run(7, byteCount: 300, left: 2)
    // What was left is sent under the ids that it has; and ids go on being different.
    try run(4, byteCount: 400)

    let stored = try storedRecords(brokers: cluster.bootstrapServers, topic: "cameras", partitionCount: 3)
    let ids = Dictionary(grouping: stored) { $0.header("ce_id") ?? "" }.mapValues { Set($0.map(\.value.count)) }
    #expect(ids.values.allSatisfy { $0.count == 1 }, "one id for different frames: \(ids)")
    let counts = Dictionary(grouping: ids.values.compactMap(\.first)) { $0 }.mapValues(\.count)
    #expect(counts == [100: 5 + left, 200: 6, 300: 7 + 2, 400: 4])
  }
}
