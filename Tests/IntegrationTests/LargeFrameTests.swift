import Backlog
import Broker
import Consuming
import Delivery
import Foundation
import Frames
import Posix
import Testing

extension IntegrationTests {
  /// Frames that are too large for one record, on a real broker, which enforces its limit.
  @Suite struct LargeFrameTests {
    /// Frames of 30 MiB, with small ones in between, go out in parts and are the same when they are put together.
    @Test func framesOf30MiBPass() throws {
      let broker = try Testbed.broker(partitions: 1)
      let backlog = Backlog(
        laneCount: 1, memoryBudget: 64 << 20, largestFrame: RecordEncoder.largestFrame(messageMaxBytes: 1_000_000))
      let forwarder = Forwarder(
        configuration: Forwarder.Configuration(
          brokers: broker.address, clientID: "large", messageMaxBytes: 1_000_000, windowBytes: 4 << 20),
        identity: .ephemeral(gateway: "g", nanosecondsSince1970: 0),
        lanes: [LaneDescription(camera: try #require(CameraName("large")), topic: "cameras")], backlog: backlog,
        log: Log { _ in })
      try forwarder.start()
      let sizes = [1_000, 30 << 20, 999_999, 30 << 20, 2_000]
      let sent = sizes.map(Self.randomBytes)
      for bytes in sent {
        backlog.append(frame(bytes), to: Lane(index: 0))
        #expect(backlog.waitUntilEmpty(until: .now() + .seconds(60)))
      }
      #expect(forwarder.drain(until: .now()) == 0)
      #expect(backlog.drops == [[:]])
      let found = try received(sizes.count, from: broker)
      for (bytes, frame) in zip(sent, found) { #expect(frame.payload.bytes.elementsEqual(bytes)) }
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
      let deadline = MonotonicTime.now() + .seconds(120)
      while frames.count < count, MonotonicTime.now() < deadline {
        guard case .record(let record) = consumer.poll(milliseconds: 100) else { continue }
        if let frame = reassembler.take(try ReceivedFrame(record)) { frames.append(frame) }
      }
      #expect(reassembler.incompleteCount == 0)
      #expect(frames.count == count)
      return frames
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
      let consumer = try ConsumeTests.consume(broker, group: "parts", "--count", "\(findings.frames)")
      #expect(try consumer.waitForExit() == .code(0), "\(consumer.transcript)")
      #expect(Set(try ConsumeTests.lines(consumer).map(\.frame)).count == findings.frames)
    }
  }
}
