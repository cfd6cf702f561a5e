import Foundation
import Testing

extension IntegrationTests.KafkaSide {
  /// Kafka goes away in several ways while cameras go on.
  @Suite struct OutageTests {
    let broker: Server
    let proxy: Server
    let cameras: Server
    let gateway: Gateway
    let names = ["gate", "yard"]

    init() throws {
      broker = try Testbed.broker()
      proxy = try Testbed.kafkaProxy(to: broker)
      cameras = try Testbed.cameras("gate=h264", "yard=mjpeg")
      gateway = try Gateway(
        brokers: proxy.address, try names.map { [cameras] in Gateway.Camera($0, try cameras.url($0)) },
        more: "stop_timeout: 20s")
      try follow(frames: 30)
    }

    /// Waits until each camera has so many frames in the topic, whatever they are like.
    private func follow(frames: Int) throws {
      try Testbed.read(broker, names, frames: frames, follow: true, skip: ["decode"], mayComplain: true)
    }

    private func expectNothingLost(sourceLocation: SourceLocation = #_sourceLocation) throws {
      let seen = try Testbed.read(broker, names, skip: ["decode"], mayComplain: true)
      try follow(frames: (seen.cameras.values.map(\.frames).max() ?? 0) + 60)
      try gateway.stop(sourceLocation: sourceLocation)
      let findings = try Testbed.read(broker, names, sourceLocation: sourceLocation)
      #expect(
        findings.lost == 0 && findings.repeated == 0 && findings.gaps == 0, "\(gateway.child.transcript)",
        sourceLocation: sourceLocation)
    }

    /// Connections reset and refused: what was kept is sent when the broker is back, in order, once.
    @Test func refusedConnectionsLoseNothing() throws {
      try proxy.command("cut")
      let mark = try gateway.waitForLog("kafka", "retrying")
      try proxy.command("pass")
      try gateway.waitForLog(from: mark, "Kafka takes records again")
      try expectNothingLost()
    }

    /// The broker is frozen for as long as a camera takes to show 90 pictures.
    @Test func aFrozenBrokerLosesNothing() throws {
      let watch = try Testbed.cameras("clock=h264")
      try broker.command("pause")
      try waitForPictures(of: watch.url("clock"), count: 90)
      try broker.command("continue")
      try expectNothingLost()
    }

    /// Acknowledgements are swallowed and the connections reset: what is sent again must not lie twice in the topic.
    @Test func swallowedAcknowledgementsRepeatNothing() throws {
      for _ in 0..<5 {
        try proxy.command("eat")
        try waitForPictures(of: try cameras.url("gate"), count: 15)
        try proxy.command("reset")
        try proxy.command("pass")
        try waitForPictures(of: try cameras.url("gate"), count: 15)
      }
      try expectNothingLost()
    }

    /// A broker that comes back without its memory (noida forgets producers, and some records) does not stop the gateway.
    @Test func aBrokerThatForgetsDoesNotStopTheGateway() throws {
      try broker.command("kill")
      try gateway.waitForLog("kafka", "retrying")
      try broker.command("start")
      // It refuses the sequence numbers of a producer that it does not know: the real fatal error.
      try gateway.waitForLog("the producer failed", "nothing is lost")
      let seen = try Testbed.read(broker, names, skip: ["decode"], mayComplain: true)
      try follow(frames: (seen.cameras.values.map(\.frames).max() ?? 0) + 60)
      try gateway.stop()
    }

    /// The end comes during an outage: the gateway gives up after stop_timeout, says what it leaves behind, ends well.
    @Test func stoppingDuringAnOutageCountsWhatIsLost() throws {
      let stranded = try Gateway(
        brokers: "127.0.0.1:\(try Testbed.freePort())", [Gateway.Camera("gate", try cameras.url("gate"))],
        more: "stop_timeout: 500ms")
      try stranded.waitForLog("camera gate", "streaming")
      try waitForPictures(of: try cameras.url("gate"), count: 30)
      try stranded.stop()
      #expect(
        stranded.child.errors.contains { $0.contains(#/[1-9]\d* not delivered and lost/#) },
        "\(stranded.child.transcript)")
    }

    /// Lets as much time pass as a camera needs for so many pictures: time is measured in what happens.
    private func waitForPictures(of url: String, count: Int) throws {
      let ffmpeg = try Child(
        "ffmpeg",
        ["-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-frames:v", "\(count)", "-f", "null", "-"])
      #expect(try ffmpeg.waitForExit() == .code(0), "\(ffmpeg.transcript)")
    }
  }
}
