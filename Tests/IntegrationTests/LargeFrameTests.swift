import Backlog
import Broker
import Consuming
import Delivery
import Foundation
import Frames
import Posix
import Records
import Testing

extension IntegrationTests.KafkaSide {
  /// Frames that are too large for one record, on a real broker, which enforces its limit.
  @Suite struct LargeFrameTests {
    /// Frames of 30 MiB, with small ones in between, go out in parts and are the same when they are put together.
    @Test func framesOf30MiBPass() throws {
      let broker = try Testbed.broker(partitions: 1)
      try send([1_000, 30 << 20, 999_999, 30 << 20, 2_000], through: broker, to: broker)
    }

    /// A frame that takes the link twice as long as librdkafka gives a request.
    @Test func aSlowLinkCarriesLargeFrames() throws {
      let broker = try Testbed.broker(partitions: 1)
      let proxy = try Testbed.kafkaProxy(to: broker)
      try proxy.command("rate 32000")
      try send([1_000, 600_000, 2_000], through: proxy, to: broker)
    }

    /// Sends frames of these sizes, one after another, and reads them back.
    private func send(_ sizes: [Int], through front: Server, to broker: Server) throws {
      let backlog = Backlog(
        laneCount: 1, memoryBudget: 64 << 20, largestFrame: FrameHeaders.largestFrame(messageMaxBytes: 1_000_000))
      let forwarder = Forwarder(
        configuration: Forwarder.Configuration(
          brokers: front.address, clientID: "large", messageMaxBytes: 1_000_000, windowBytes: 4 << 20,
          properties: [ClientProperty("socket.timeout.ms", "10000")]),
        identity: .ephemeral(gateway: "g", nanosecondsSince1970: 0),
        lanes: [LaneDescription(camera: try #require(CameraName("large")), topic: "cameras")], backlog: backlog,
        log: Log { _ in })
      try forwarder.start()
      let sent = sizes.map(Self.randomBytes)
      for bytes in sent {
        backlog.append(frame(bytes), to: Lane(index: 0))
        #expect(waitUntilSent(backlog, forwarder), "nothing moves")
      }
      #expect(forwarder.drain(until: .now()) == 0)
      #expect(backlog.drops == [[:]])
      let found = try received(sizes.count, from: broker)
      for (bytes, frame) in zip(sent, found) { #expect(frame.payload.bytes.elementsEqual(bytes)) }
    }

    /// Waits until all is acknowledged, however long the link takes; a minute in which no record was is a hang.
    private func waitUntilSent(_ backlog: Backlog, _ forwarder: Forwarder) -> Bool {
      var (last, since) = (0, MonotonicTime.now())
      while !backlog.waitUntilEmpty(until: .now() + .milliseconds(200)) {
        let bytes = forwarder.status.inFlightBytes
        if bytes != last { (last, since) = (bytes, .now()) }
        if MonotonicTime.now() - since > .hangLimit { return false }
      }
      return true
    }

    private func frame(_ bytes: [UInt8]) -> Frame {
      Frame(
        codec: .mjpeg, payload: Payload(bytes), isKeyframe: true,
        captureTime: WallClock.nanosecondsSince1970(), clock: .gateway, pts: 0, width: 64, height: 48)
    }

    private static func randomBytes(_ count: Int) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: count)
      arc4random_buf(&bytes, count)
      return bytes
    }

    private func received(_ count: Int, from broker: Server) throws -> [ReceivedFrame] {
      let consumer = try Consumer(
        brokers: broker.address, group: "large", topic: "cameras", from: .beginning, onEvent: { _ in })
      var reassembler = Reassembler()
      var frames: [ReceivedFrame] = []
      var deadline = MonotonicTime.now() + .hangLimit
      while frames.count < count, MonotonicTime.now() < deadline {
        guard case .record(let record) = consumer.poll(milliseconds: 100) else { continue }
        deadline = .now() + .hangLimit
        if let frame = reassembler.take(try ReceivedFrame(record)) { frames.append(frame) }
      }
      #expect(reassembler.incompleteCount == 0)
      #expect(frames.count == count)
      return frames
    }

    /// A topic that takes less than is configured: its limit is asked for, and records are made to fit.
    @Test func theTopicsOwnLimitWins() throws {
      let broker = try Server("broker", ["--topic", "cameras:1:20000"])
      let cameras = try Testbed.cameras("gate=h264", "lamp=mjpeg")
      let names = ["gate", "lamp"]
      let gateway = try Gateway(brokers: broker.address, try names.map { Gateway.Camera($0, try cameras.url($0)) })
      try gateway.waitForLog("topic 'cameras' takes records of up to 20000 bytes")
      try Testbed.read(broker, names, frames: 60, follow: true, skip: ["decode"], mayComplain: true)
      try gateway.stop()
      let findings = try Testbed.read(broker, names)
      #expect(findings.parts > 0 && findings.lost == 0 && findings.gaps == 0)
    }

    /// A camera's pictures in records of 16 KiB: in order, whole, and decoded by both readers.
    @Test func camerasPassInParts() throws {
      let broker = try Testbed.broker()
      let cameras = try Testbed.cameras("gate=h264", "lamp=mjpeg")
      let names = ["gate", "lamp"]
      let gateway = try Gateway(
        brokers: broker.address, try names.map { Gateway.Camera($0, try cameras.url($0)) },
        kafka: "message_max_bytes: 16KiB")
      try Testbed.read(broker, names, frames: 60, follow: true, skip: ["decode"], mayComplain: true)
      try gateway.stop()
      let findings = try Testbed.read(broker, names)
      #expect(findings.parts > 0)
      let consumer = try IntegrationTests.CameraSide.ConsumeTests.consume(
        broker, group: "parts", "--count", "\(findings.frames)")
      #expect(try consumer.waitForExit() == .code(0), "\(consumer.transcript)")
      #expect(Set(try IntegrationTests.CameraSide.ConsumeTests.lines(consumer).map(\.frame)).count == findings.frames)
    }
  }
}
