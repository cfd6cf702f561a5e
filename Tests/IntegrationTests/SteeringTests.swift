import Broker
import Delivery
import DiskRing
import Foundation
import Frames
import Posix
import Testing

@testable import Backlog

extension IntegrationTests.CameraSide {
  /// Strangers choose headers, names in a ring and the names of devices. Nothing of what steers a terminal gets there: no
  /// ESC, no OSC, no C1, no mark that turns the direction of writing, no line of their own.
  @Suite struct SteeringTests {
    static let hostile = "a\u{1b}]0;title\u{7}\u{9b}2J\u{7f}\u{202e}\u{85}\r\nstopped; all is well"

    /// What `child` said is shown as it is meant: a line that a stranger began is indented.
    private func expectHarmless(_ child: Child, sourceLocation: SourceLocation = #_sourceLocation) {
      for line in child.output + child.errors {
        let steers = line.unicodeScalars.filter { $0.isSteering }
        #expect(steers.isEmpty, "\(steers): \(line)", sourceLocation: sourceLocation)
        #expect(!line.hasPrefix("stopped"), "\(child.transcript)", sourceLocation: sourceLocation)
      }
    }

    /// Writes one record for each of these sources, with hostile headers wherever they are shown.
    private func fill(_ cluster: MockCluster, sources: [String]) throws {
      let file = Testbed.root.appending(path: "Tests/Fixtures/video/picture.jpg")
      let picture = Array(try Data(contentsOf: file))
      let acknowledged = Monitor(0)
      let producer = try Producer(
        properties: [ClientProperty("bootstrap.servers", cluster.bootstrapServers)],
        onReport: { report in if report.error == nil { acknowledged.withLock { $0 += 1 } } }, onEvent: { _ in })
      try picture.withUnsafeBytes { bytes in
        for (index, source) in sources.enumerated() {
          let headers = [
            ("ce_type", "camgate.frame.v1"), ("content-type", "image/jpeg"), ("ce_source", source),
            ("ce_id", "\(Self.hostile.replacing("-", with: ""))-1-\(index + 1)"), ("ce_time", Self.hostile),
            ("ce_sequence", Self.hostile), ("ce_keyframe", "1"), ("ce_gap", Self.hostile),
          ].map { (name: $0.0, value: $0.1) }
          let record = OutgoingRecord(topic: "cameras", key: source, headers: headers, timestamp: 0)
          try producer.send(record, payload: bytes, id: UInt(index + 1))
        }
        // And what is no frame.
        let headers = [(name: "ce_type", value: Self.hostile), (name: Self.hostile, value: Self.hostile)]
        let record = OutgoingRecord(topic: "cameras", key: Self.hostile, headers: headers, timestamp: 0)
        try producer.send(record, payload: bytes, id: UInt(sources.count + 1))
        while acknowledged.read({ $0 }) <= sources.count { producer.poll(milliseconds: 100) }
      }
    }

    @Test func headersThatAreConsumed() throws {
      let cluster = try MockCluster(brokerCount: 1)
      try cluster.createTopic("cameras", partitionCount: 1)
      try fill(cluster, sources: ["/dock/\(Self.hostile)", "/\(Self.hostile)/gate"])
      let arguments = ["consume", "--brokers", cluster.address, "--from", "beginning"]
      let text = try Child(Testbed.camgate, arguments + ["--group", "text", "--count", "2"])
      let json = try Child(Testbed.camgate, arguments + ["--group", "json", "--count", "2", "--json"])
      let lost = try Child(Testbed.camgate, arguments + ["--group", "lost", "--camera", Self.hostile + "?"])
      for child in [text, json] { #expect(try child.waitForExit() == .code(0), "\(child.transcript)") }
      try lost.waitForErrors { $0.contains("there are frames of") }
      lost.signal(SIGTERM)
      #expect(try lost.waitForExit() == .code(0))
      for child in [text, json, lost] { expectHarmless(child) }
      // For machines all of it is there, escaped.
      struct Line: Decodable { let camera, source, time: String }
      let lines = try json.output.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
      #expect(lines.map(\.time).count == 2 && lines.allSatisfy { $0.time.hasPrefix("a") })
      #expect(text.output.contains { $0.hasPrefix("a\u{fffd}]0;title") }, "\(text.transcript)")
    }

    @Test func aTopicThatIsAskedFor() throws {
      let cluster = try MockCluster(brokerCount: 1)
      let arguments = ["consume", "--brokers", cluster.address, "--group", "topic", "--topic", Self.hostile]
      let child = try Child(Testbed.camgate, arguments)
      try child.waitForErrors { _ in true }
      child.signal(SIGTERM)
      _ = try child.waitForExit()
      expectHarmless(child)
    }

    /// A ring from a card: names in it are whatever somebody wrote there.
    @Test func namesInARing() throws {
      let directory = try RingDirectory()
      let file = Testbed.root.appending(path: "Tests/Fixtures/video/picture.jpg")
      try write(Array(try Data(contentsOf: file)), to: directory)
      func tool(_ arguments: [String], code: Int32) throws {
        for more in [[], ["--json"]] {
          let child = try Child(Testbed.camgate, ["ring"] + arguments + more)
          #expect(try child.waitForExit() == .code(code), "\(child.transcript)")
          #expect(!child.output.isEmpty || code != 0)
          expectHarmless(child)
        }
      }
      let path = directory.url.path
      try tool(["inspect", path], code: 0)
      try tool(["verify", path], code: 0)
      try tool(["export", path, "--to", path], code: 0)
      try tool(["export", path, "--to", path, "--camera", Self.hostile + "?"], code: 1)
      try tool(["quarantine", path], code: 0)
      try tool(["inspect", path + "/" + Self.hostile], code: 1)
      let names = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".mjpeg") }
      #expect(names.count == 1 && names.allSatisfy { !$0.unicodeScalars.contains { $0.isSteering } }, "\(names)")
      // One bit is wrong: what is found is named.
      let segment = directory.url.appending(path: "segment-00000")
      var bytes = try Data(contentsOf: segment)
      let picture = try #require(bytes.range(of: Data([0xff, 0xd8, 0xff])))
      bytes[picture.lowerBound + 500] ^= 4
      try bytes.write(to: segment)
      try tool(["verify", path], code: 1)
    }

    private func write(_ picture: [UInt8], to directory: RingDirectory) throws {
      let frame = Frame(
        codec: .mjpeg, payload: Payload(picture), isKeyframe: true, captureTime: 1, clock: .gateway, pts: 0, width: 16,
        height: 16)
      let options = RingOptions(size: .bytes(1 << 20 + 4 << 22), segmentByteCount: 4 << 20, minimumEpoch: 1)
      let ring = try Ring.open(try PosixStorage(path: directory.url.path), options)
      let stream = try ring.register(StreamDescription(name: Self.hostile, topic: Self.hostile))
      for sequence in 1...2 {
        let record = NewRecord(
          stream: stream, key: RecordKey(epoch: ring.epoch, sequence: UInt64(sequence)), isKeyframe: true,
          captureTime: 1, metadata: FrameMetadata.encode(frame))
        while ring.append(record, payload: [frame.payload.bytes], now: .now()) == .notNow { ring.flush(now: .now()) }
      }
      ring.flush(now: .now())
      ring.close()
      let quarantine = Quarantine(directory: Quarantine.directory(ofRing: directory.url.path), log: Log { _ in })
      quarantine.keep(
        RefusedFrame(
          camera: Self.hostile, topic: Self.hostile, id: "00000000000000ab-7-3", time: Self.hostile,
          contentType: "image/jpeg", reason: Self.hostile, bytes: picture))
      quarantine.close()
    }

    /// A USB camera chooses its names; so does whoever may make links.
    @Test(arguments: [[], ["--json"]])
    func namesOfDevices(_ arguments: [String]) throws {
      let script = #"""
        mount -t tmpfs tmpfs /sys && mount -t tmpfs tmpfs /dev || exit 9
        usb=/sys/devices/usb1/1-1 node=/sys/devices/usb1/1-1/1-1:1.0/video4linux/video0
        mkdir -p $node /sys/class/video4linux /dev/v4l/by-id
        for file in $node/name $usb/manufacturer $usb/product $usb/serial; do printf %s "$1" >$file; done
        echo 046d >$usb/idVendor && echo 0825 >$usb/idProduct
        ln -s ../../../1-1:1.0 $node/device && ln -s ../../..$node /sys/class/video4linux/video0
        : >/dev/video0 && ln -s ../../video0 "/dev/v4l/by-id/$1"
        shift && exec "$@"
        """#
      let name = Self.hostile.replacing("/", with: "").replacing("\r\n", with: "")
      let child = try Child(
        "unshare", ["--mount", "sh", "-c", script, "sh", name, Testbed.camgate, "devices"] + arguments)
      #expect(try child.waitForExit() == .code(0), "\(child.transcript)")
      #expect(child.output.contains { $0.contains("/dev/video0") && $0.contains("title") }, "\(child.transcript)")
      expectHarmless(child)
    }
  }
}
