import Foundation
import Testing

extension IntegrationTests.KafkaSide {
  /// What a ring on disk is for: outages longer than memory, restarts and kills in the middle of them.
  @Suite struct RingTests {
    let broker: Server
    let proxy: Server
    let ring: RingDirectory
    let gate = Gateway.Camera("gate", "test:320x240@10")
    let yard = Gateway.Camera("yard", "test:320x240@10")

    init() throws {
      broker = try Testbed.broker()
      proxy = try Testbed.kafkaProxy(to: broker)
      ring = try RingDirectory()
    }

    /// Everything that is in the topic, once each: what was in flight when a run ended is looked for, not sent again.
    private func read(_ cameras: [String], sourceLocation: SourceLocation = #_sourceLocation) throws -> Findings {
      let findings = try Testbed.read(broker, cameras, mayComplain: true, sourceLocation: sourceLocation)
      #expect(
        findings.lost == 0 && findings.repeated == 0 && findings.gaps == 0 && findings.twice == 0,
        sourceLocation: sourceLocation)
      return findings
    }

    /// SIGTERM while Kafka is away: what it has not acknowledged waits on disk and goes out with the next start.
    @Test func aRestartDuringAnOutageLosesNothing() throws {
      let first = try ring.gateway(brokers: proxy.address, [gate, yard])
      try Testbed.read(broker, ["gate", "yard"], frames: 20, follow: true, skip: ["decode"], mayComplain: true)
      try proxy.command("cut")
      try first.waitForLog("frames go to disk")
      try first.stop()
      #expect(try first.count(" wait on disk") > 0)

      let second = try ring.gateway(brokers: proxy.address, [gate, yard], stopTimeout: "20s")
      try second.waitForLog("frames of earlier runs wait on disk")
      try second.waitForLog("frames go to disk")
      try proxy.command("pass")
      try second.waitForLog("Kafka keeps up again")
      try second.stop()
      #expect(second.child.errors.contains { $0.contains("none left behind") }, "\(second.child.transcript)")
      let findings = try read(["gate", "yard"])
      let captured = try first.count(" frames captured") + second.count(" frames captured")
      #expect(findings.frames - findings.twice == captured, "\(findings)")
    }

    /// What a camera has left behind goes out under its name when it is no longer in the settings.
    @Test func aRemovedCamerasFramesStillGoOut() throws {
      try proxy.command("cut")
      let first = try ring.gateway(brokers: proxy.address, [gate, yard], "write: always", reportsSecured: true)
      try first.waitForSecured("yard", 20)
      try first.stop()
      try proxy.command("pass")
      let second = try ring.gateway(brokers: proxy.address, [gate], stopTimeout: "20s")
      try Testbed.read(broker, ["gate", "yard"], frames: 20, follow: true, skip: ["decode"], mayComplain: true)
      try second.stop()
      let findings = try read(["gate", "yard"])
      let captured = try first.count(" frames captured") + second.count(" frames captured")
      #expect(findings.frames - findings.twice == captured, "\(findings)")
    }

    /// Far more is captured during the outage than memory holds. With B-frames, muxers take what comes from disk, too.
    @Test func anOutageLongerThanMemoryLosesNothing() throws {
      let cameras = try Testbed.cameras("hall=h264b")
      let (large, hall) = (Gateway.Camera("gate", "test:1280x720@15"), Gateway.Camera("hall", try cameras.url("hall")))
      let gateway = try ring.gateway(
        brokers: proxy.address, [large, hall], "memory: 4MiB", stopTimeout: "30s", reportsSecured: true)
      try Testbed.read(broker, ["gate", "hall"], frames: 20, follow: true, skip: ["decode"], mayComplain: true)
      try proxy.command("cut")
      try gateway.waitForLog("frames go to disk")
      try gateway.waitForSecured("gate", 300, timeout: 120)
      try proxy.command("pass")
      try gateway.waitForLog("Kafka keeps up again")
      try gateway.stop()
      // Nothing to complain of, muxers included.
      let findings = try Testbed.read(broker, ["gate", "hall"])
      #expect(try gateway.count(" frames captured") == findings.frames)
    }

    /// A healthy gateway leaves the disk alone: sixty cursor writes alone would be 240 KiB.
    @Test func aHealthyMinuteHardlyTouchesTheDisk() throws {
      // Healthy also where the machine, not Kafka, lets an acknowledgement come late.
      let gateway = try ring.gateway(brokers: proxy.address, [gate], "spill_after: 1h", stopTimeout: "10s")
      try Testbed.read(broker, ["gate"], frames: 20, follow: true, skip: ["decode"], mayComplain: true)
      let before = try writtenBytes(gateway)
      try Testbed.read(broker, ["gate"], frames: 620, follow: true, skip: ["decode"], mayComplain: true)
      let written = try writtenBytes(gateway) - before
      #expect(written < 64 << 10, "\(written) bytes written in a minute")
      try gateway.stop()
    }

    private func writtenBytes(_ gateway: Gateway) throws -> Int {
      let text = try String(contentsOfFile: "/proc/\(gateway.child.processID)/io", encoding: .utf8)
      return try #require(text.firstMatch(of: #/\nwrite_bytes: (\d+)/#).flatMap { Int($0.output.1) })
    }

    /// A ring that cannot be used is named with a remedy, and nothing keeps the gateway from capturing.
    @Test func aRingThatCannotBeUsedIsNoReasonNotToCapture() throws {
      let holder = try ring.gateway(brokers: proxy.address, [gate])
      try holder.waitForLog("ring in", "new")
      let second = try ring.gateway(brokers: proxy.address, [yard], stopTimeout: "10s")
      try second.waitForLog("cannot be used", "another process")
      try second.waitForLog("memory only")
      try Testbed.read(broker, ["yard"], frames: 20, follow: true, skip: ["decode"], mayComplain: true)
      try second.stop()
      try holder.stop()

      try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: ring.url.path)
      let stranger = try ring.gateway(brokers: proxy.address, [yard], stopTimeout: "10s", user: 65_534)
      try stranger.waitForLog("cannot be used", "chown")
      try stranger.waitForLog("camera yard", "streaming")
      try stranger.stop()
    }

    /// Somebody tidies up in the ring while the gateway is stopped: it says so, loses what was thrown away and nothing
    /// else, and goes on. `$1` is the directory; the frames are in segment-00000.
    @Test(arguments: [
      ("rm $1/segment-00000", "missing", false), ("rm $1/segment-00005", "missing", true),
      ("truncate -s 300000 $1/segment-00000", "wrongSize", true),
      ("mv $1/segment-00000 $1/x; mv $1/segment-00003 $1/segment-00000; mv $1/x $1/segment-00003", "renamed", true),
      ("mv $1/segment-00000 $1/segment-00000.bak", "stray", true), ("rm $1/cursor $1/superblock", "slotsLost", true),
    ])
    func handsInTheRingAreReported(command: String, words: String, keepsFrames: Bool) throws {
      try proxy.command("cut")
      let small = Gateway.Camera("gate", "test:160x120@10")
      let first = try ring.gateway(brokers: proxy.address, [small], "write: always", reportsSecured: true)
      try first.waitForSecured("gate", 20)
      try first.stop()
      let left = try first.count(" wait on disk")
      let shell = try Child("sh", ["-c", command, "sh", ring.url.path])
      #expect(try shell.waitForExit() == .code(0), "\(shell.transcript)")

      try proxy.command("pass")
      let second = try ring.gateway(brokers: proxy.address, [small], stopTimeout: "20s")
      try second.waitForLog("the ring was repaired", words)
      try second.waitForLog("camera gate", "streaming")
      try second.stop()
      let findings = try Testbed.read(broker, ["gate"], skip: ["decode"], mayComplain: true)
      let captured = try second.count(" frames captured")
      #expect(findings.frames - findings.twice == captured + (keepsFrames ? left : 0), "\(second.child.transcript)")
      // What was lost cannot be counted, but is told.
      #expect(findings.gaps == 1, "\(findings)")
    }
  }
}
