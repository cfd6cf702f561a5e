import Broker
import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// `camgate consume` on a real broker, with real processes.
  @Suite struct ConsumeTests {
    /// One line of `camgate consume --json`, or of mean_pixel.py.
    struct Line: Decodable, Equatable {
      let camera: String
      /// Unique among the frames of a camera.
      let id: String
      let sequence: String?
      let meanPixel: Double

      var frame: String { "\(camera) \(id)" }
    }

    static func lines(_ child: Child) throws -> [Line] {
      try child.output.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    static func consume(_ broker: some Bootstrap, group: String, _ more: String...) throws -> Child {
      try consume(broker, group: group, more)
    }

    static func consume(_ broker: some Bootstrap, group: String, _ more: [String]) throws -> Child {
      let arguments = ["consume", "--brokers", broker.address, "--group", group, "--from", "beginning", "--json"]
      return try Child(Testbed.camgate, arguments + more)
    }

    /// Runs a gateway until each camera has so many frames in the topic, and no longer.
    static func fill(_ broker: Server, _ shows: String..., frames: Int) throws -> Findings {
      let names = shows.map { String($0.prefix { $0 != "=" }) }
      let cameras = try Server("cameras", shows)
      let gateway = try Gateway(
        brokers: broker.address, try names.map { Gateway.Camera($0, try cameras.url($0)) })
      try Testbed.read(broker, names, frames: frames, follow: true, skip: ["decode"], mayComplain: true)
      try gateway.stop()
      return try Testbed.read(broker, names)
    }

    /// The mean pixel of every frame is that which OpenCV and numpy compute, to within 1.0.
    @Test func meanPixelAgreesWithOpenCV() throws {
      let broker = try Testbed.broker()
      let findings = try Self.fill(broker, "gate=h264", "yard=h265", "lamp=mjpeg", "dock=h264b", frames: 60)
      let consumer = try Self.consume(broker, group: "mean", "--count", "\(findings.frames)")
      #expect(try consumer.waitForExit() == .code(0), "\(consumer.transcript)")
      let reference = try Testbed.program("mean_pixel", ["--brokers", broker.address])
      #expect(try reference.waitForExit(timeout: 120) == .code(0), "\(reference.transcript)")
      let expected = Dictionary(uniqueKeysWithValues: try Self.lines(reference).map { ($0.frame, $0) })
      let found = try Self.lines(consumer)
      #expect(Set(found.map(\.frame)) == Set(expected.keys) && found.count == expected.count)
      for line in found {
        let difference = abs(line.meanPixel - (expected[line.frame]?.meanPixel ?? .infinity))
        #expect(difference <= 1, "\(line)")
      }
    }

    /// Readers in two groups each see every frame, once.
    @Test func twoGroupsEachSeeEverything() throws {
      let broker = try Testbed.broker()
      let findings = try Self.fill(broker, "gate=h264", "lamp=mjpeg", frames: 60)
      let consumers = try ["one", "two"].map { try Self.consume(broker, group: $0, "--count", "\(findings.frames)") }
      let seen = try consumers.map { consumer in
        #expect(try consumer.waitForExit() == .code(0), "\(consumer.transcript)")
        return try Self.lines(consumer).map(\.frame)
      }
      #expect(Set(seen[0]).count == findings.frames && seen[0].count == findings.frames)
      #expect(Set(seen[1]) == Set(seen[0]) && seen[1].count == findings.frames)
    }

    /// Only the camera that was asked for; one that is not there is said, with those that are.
    @Test func oneCamera() throws {
      let broker = try Testbed.broker()
      _ = try Self.fill(broker, "gate=h264", "lamp=mjpeg", frames: 30)
      let lost = try Self.consume(broker, group: "lost", "--camera", "nosuch")
      let consumer = try Self.consume(broker, group: "lamp", "--camera", "lamp", "--count", "20")
      #expect(try consumer.waitForExit() == .code(0), "\(consumer.transcript)")
      #expect(try Self.lines(consumer).map(\.camera) == Array(repeating: "lamp", count: 20))
      try lost.waitForErrors {
        $0.hasSuffix("no frame of camera 'nosuch' so far; there are frames of dock-7/gate, dock-7/lamp")
      }
      lost.signal(SIGTERM)
      #expect(try lost.waitForExit() == .code(0), "\(lost.transcript)")
    }

    /// It ends when asked to, also while Kafka does not answer and when it is gone; a second signal ends the wait.
    @Test(arguments: ["pause", "kill"], [1, 2])
    func endsWhileKafkaIsAway(_ trouble: String, signals: Int) throws {
      let broker = try Testbed.broker()
      _ = try Self.fill(broker, "lamp=mjpeg", frames: 30)
      let consumer = try Self.consume(broker, group: "stubborn")
      _ = try consumer.waitForOutput { $0.contains("lamp") }
      try broker.command(trouble)
      for _ in 0..<signals { consumer.signal(SIGTERM) }
      #expect(try consumer.waitForExit() == .code(0), "\(consumer.transcript)")
      if trouble == "pause" { try broker.command("continue") }
    }

    /// Two readers in one group share the cameras. One is killed: the other takes its cameras over and, between them,
    /// no frame is missed. The names are chosen so that of two partitions each gets some cameras (murmur2). The broker
    /// is librdkafka's, in this process, because noida never gives up a group's member that does not answer; it keeps
    /// only 5 MB a partition, so the pictures are small.
    @Test func oneGroupSharesAndTakesOver() throws {
      let broker = try MockCluster(brokerCount: 1)
      try broker.createTopic("cameras", partitionCount: 2)
      let names = ["cam0", "cam1", "cam2", "cam3"]
      let gateway = try Gateway(brokers: broker.address, names.map { Gateway.Camera($0, "test:160x120@10") })
      try Testbed.read(broker, names, frames: 10, follow: true, skip: ["decode"], mayComplain: true)

      let first = try Self.consume(broker, group: "shared")
      let second = try Self.consume(broker, group: "shared")
      let shared = try waitUntilShared(first, second)
      #expect(!shared.first.isEmpty && !shared.second.isEmpty && shared.first.isDisjoint(with: shared.second))

      first.signal(SIGKILL)
      #expect(try first.waitForExit() == .signal(SIGKILL))
      let killedAt = second.output.count
      for name in shared.first {
        _ = try second.waitForOutput(from: killedAt, timeout: 120) { $0.contains("\"camera\":\"\(name)\"") }
      }
      try gateway.stop()
      let findings = try Testbed.read(broker, names)
      try expectAllSeen(by: [first, second], findings, in: second)
    }

    /// Waits until, over the last 40 lines of each, no camera is read by both; returns who reads which.
    private func waitUntilShared(_ first: Child, _ second: Child) throws -> (first: Set<String>, second: Set<String>) {
      var (readByFirst, readBySecond) = (0, 0)
      while true {
        (_, readByFirst) = try first.waitForOutput(from: readByFirst + 40, timeout: 120) { _ in true }
        (_, readBySecond) = try second.waitForOutput(from: readBySecond + 40, timeout: 120) { _ in true }
        let sets = try [first, second].map { Set(try Self.lines($0).suffix(40).map(\.camera)) }
        if sets[0].isDisjoint(with: sets[1]) { return (sets[0], sets[1]) }
      }
    }

    /// Every sequence number of every camera was seen by somebody, up to the last one in the topic.
    private func expectAllSeen(by consumers: [Child], _ findings: Findings, in last: Child) throws {
      for (name, camera) in findings.cameras {
        let numbers = { try Set(consumers.flatMap { try Self.lines($0) }.filter { $0.camera == name }.map(\.frame)) }
        var next = last.output.count
        while try numbers().count < camera.frames {
          (_, next) = try last.waitForOutput(from: next, timeout: 120) { $0.contains("\"camera\":\"\(name)\"") }
        }
        #expect(try numbers().count == camera.frames)
      }
    }
  }
}
