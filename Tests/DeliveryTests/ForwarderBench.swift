import Backlog
import Broker
import Frames
import Posix
import Records
import Synchronization
import Testing

@testable import Delivery

// A forwarder on librdkafka's mock cluster, with cameras that are played by the test.

/// Payloads whose memory is overwritten as soon as it is released, but stays readable: whoever sends it too late sends
/// nonsense, which the reader finds.
final class PayloadLedger: Sendable {
  // Unchecked because of the raw pointers: written once, when the payload that owned them is gone.
  private struct Books: @unchecked Sendable {
    var memory: [UnsafeMutableRawBufferPointer] = []
    var releasedCount = 0
  }

  private let books = Mutex(Books())

  var madeCount: Int { books.withLock { $0.memory.count } }
  var releasedCount: Int { books.withLock { $0.releasedCount } }

  func payload(_ bytes: [UInt8]) -> Payload {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    memory.copyBytes(from: bytes)
    let index = books.withLock { books in
      books.memory.append(memory)
      return books.memory.count - 1
    }
    return Payload(adopting: UnsafeRawBufferPointer(memory)) { [self] in
      books.withLock { books in
        for offset in books.memory[index].indices { books.memory[index][offset] = 0xDD }
        books.releasedCount += 1
      }
    }
  }

  deinit { books.withLock { for memory in $0.memory { memory.deallocate() } } }
}

func testFrame(_ payload: Payload) -> Frame {
  Frame(
    codec: .mjpeg, payload: payload, isKeyframe: true, captureTime: 1_795_460_400_000_000_000, clock: .gateway, pts: 0,
    width: 64, height: 48)
}

final class ForwarderBench {
  static let partitionCount: Int32 = 3

  let cluster: MockCluster
  let backlog: Backlog
  let forwarder: Forwarder
  let ledger = PayloadLedger()
  let laneCount: Int
  /// The topic of each lane.
  private let topics: [String]
  private let lines: Monitor<[String]>
  private var appended: [UInt64]
  private(set) var isDrained = false

  /// `preparing` is done when the topic is there and before the first producer is: what fails or is hidden then must not
  /// come too late for it.
  init(
    laneCount: Int = 1, windowBytes: Int = 1 << 20, catchUpRate: Int? = nil, properties: [ClientProperty] = [],
    brokers: String? = nil, resumeQuiet: Duration? = nil, quarantine directory: String? = nil,
    topics: [String]? = nil, preparing: (MockCluster) -> Void = { _ in }
  ) throws {
    cluster = try MockCluster(brokerCount: 3)
    let topics = topics ?? Array(repeating: "cameras", count: laneCount)
    self.topics = topics
    for topic in Set(topics).sorted() {
      try cluster.createTopic(topic, partitionCount: ForwarderBench.partitionCount)
    }
    preparing(cluster)
    let messageMaxBytes = 64 << 10
    backlog = Backlog(
      laneCount: laneCount, memoryBudget: 64 << 20,
      largestFrame: FrameHeaders.largestFrame(messageMaxBytes: messageMaxBytes))
    let lines = Monitor<[String]>([])
    (self.lines, self.laneCount) = (lines, laneCount)
    appended = Array(repeating: 0, count: laneCount)
    forwarder = Forwarder(
      configuration: Forwarder.Configuration(
        brokers: brokers ?? cluster.bootstrapServers, clientID: "test", messageMaxBytes: messageMaxBytes,
        windowBytes: windowBytes, catchUpRate: catchUpRate, resumeQuiet: resumeQuiet,
        properties: [ClientProperty("topic.metadata.propagation.max.ms", "200")] + properties),
      identity: GatewayIdentity(gateway: "g", ringID: 1, epoch: 1),
      lanes: (0..<laneCount).map { LaneDescription(camera: CameraName("cam-\($0)")!, topic: topics[$0]) },
      backlog: backlog, quarantine: directory.map { Quarantine(directory: $0, log: Log { _ in }) },
      log: Log(level: .info) { line in lines.withLock { $0.append(line) } })
    try forwarder.start()
  }

  deinit { drain(within: .zero) }

  /// The bytes of a frame: all alike, and different from those of its neighbours.
  static func bytes(lane: Int, sequence: UInt64, count: Int) -> [UInt8] {
    [UInt8](repeating: UInt8(truncatingIfNeeded: UInt64(lane) * 89 + sequence * 7 + 1), count: count)
  }

  /// Adds `count` frames to each lane.
  func append(_ count: Int, byteCount: Int = 600) {
    for _ in 0..<count {
      for lane in 0..<laneCount {
        appended[lane] += 1
        let bytes = ForwarderBench.bytes(lane: lane, sequence: appended[lane], count: byteCount)
        backlog.append(testFrame(ledger.payload(bytes)), to: Lane(index: lane))
      }
    }
  }

  /// Whether everything was acknowledged.
  func settles(within duration: Duration = .seconds(60)) -> Bool {
    backlog.waitUntilEmpty(until: .now() + duration)
  }

  /// Waits until so many frames are under way.
  func waitUntilInFlight(_ count: Int) -> Bool {
    let deadline = MonotonicTime.now() + .seconds(60)
    while forwarder.status.inFlightCount != count, .now() < deadline { Thread.sleep(.milliseconds(5)) }
    return forwarder.status.inFlightCount == count
  }

  /// Waits until the status is as it should be.
  func waits(for isReached: (Forwarder.Status) -> Bool) -> Bool {
    let deadline = MonotonicTime.now() + .seconds(60)
    while !isReached(forwarder.status), .now() < deadline { Thread.sleep(.milliseconds(5)) }
    return isReached(forwarder.status)
  }

  /// The first line of the log that contains `text`; waits for it.
  func line(with text: String) -> String? {
    lines.wait(until: .now() + .seconds(60)) { lines in lines.first { $0.contains(text) } }
  }

  /// Warnings and errors.
  var log: [String] { lines.read { $0.filter { !$0.contains(" info ") } } }

  @discardableResult
  func drain(within duration: Duration) -> Int {
    if isDrained { return 0 }
    isDrained = true
    return forwarder.drain(until: .now() + duration)
  }

  func stored() throws -> [StoredRecord] {
    try Set(topics).sorted().flatMap { topic in
      try storedRecords(
        brokers: cluster.bootstrapServers, topic: topic, partitionCount: ForwarderBench.partitionCount)
    }
  }

  /// Checks that all frames of all lanes lie in the topic, each lane on one partition, in order and with their own
  /// bytes. The mock does not remove repeated batches, so the first of each id counts; returns how many records there are
  /// with those that a broker would have removed, and without. `dropped` are not there.
  @discardableResult
  func expectEverything(byteCount: Int = 600, dropped: Set<UInt64> = []) throws -> RecordCounts {
    let records = try stored()
    var counts = RecordCounts(raw: records.count)
    for lane in 0..<laneCount {
      let own = records.filter { $0.key == "g/cam-\(lane)" }
      #expect(Set(own.map(\.partition)).count == 1)
      var seen: Set<String?> = []
      let firsts = own.filter { seen.insert($0.header("ce_id")).inserted }
      counts.distinct += firsts.count
      var frames: [(sequence: UInt64, value: [UInt8])] = []
      for record in firsts {
        if record.isFirstPart { frames.append((record.sequence, [])) }
        #expect(frames.last?.sequence == record.sequence, "a part out of place")
        frames[frames.count - 1].value += record.value
      }
      #expect(frames.map(\.sequence) == (1...appended[lane]).filter { !dropped.contains($0) })
      for frame in frames {
        let expected = ForwarderBench.bytes(lane: lane, sequence: frame.sequence, count: byteCount)
        #expect(frame.value == expected, "frame \(frame.sequence) was released before it was sent")
      }
    }
    return counts
  }

  /// Records of a topic: all of them, and those with different ids.
  struct RecordCounts: CustomStringConvertible {
    var raw: Int
    var distinct = 0

    var description: String { "\(raw) records in the topic, \(distinct) ids" }
  }

  /// Every payload is released once the forwarder has stopped and nothing waits.
  func expectReleased() {
    #expect(ledger.releasedCount == ledger.madeCount - backlog.waitingCount)
  }
}
