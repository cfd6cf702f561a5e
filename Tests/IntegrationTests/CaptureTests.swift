import Testing

extension IntegrationTests.CameraSide {
  /// Real RTSP cameras to a real broker, and what lies there read by somebody else.
  @Suite struct CaptureTests {
    /// A codec, a transport or a login that does not work, a header that is wrong, an access unit torn or doubled, a GOP
    /// that cannot be decoded on its own, a frame lost or repeated: each would show here.
    @Test func everyKindOfCameraArrivesWhole() throws {
      let broker = try Testbed.broker()
      let open = try Testbed.cameras("a=h264", "b=h264b+aac", "c=h265", "d=mjpeg", "e=h264+sdp")
      let digest = try Testbed.cameras("a=h264", options: ["--login", "viewer:p@ss: word"])
      let basic = try Testbed.cameras("a=h264", options: ["--login", "viewer:p@ss", "--auth", "basic"])
      let cameras = try ["h264": "a", "h264-b-frames": "b", "h265": "c", "mjpeg": "d", "h264-sdp": "e"]
        .flatMap { name, mount in
          try ["tcp", "udp"].map { Gateway.Camera("\(name)-\($0)", try open.url(mount), ["transport": $0]) }
        }
      let withLogin = [
        Gateway.Camera("digest", try digest.url("a"), ["username": "viewer", "password": "'p@ss: word'"]),
        Gateway.Camera("basic", try basic.url("a").replacing("//", with: "//viewer:p%40ss@")),
      ]
      let gateway = try Gateway(brokers: broker.address, cameras + withLogin)
      let names = (cameras + withLogin).map(\.name)

      try Testbed.read(broker, names, frames: 90, follow: true, skip: ["decode"], mayComplain: true)
      try gateway.stop()
      #expect(gateway.child.errors.contains { $0.contains("none left behind") }, "\(gateway.child.transcript)")
      // A busy machine loses packets of UDP like any network, and then the records say so.
      let findings = try Testbed.read(broker, names, frames: 90, gaps: ["network"])
      #expect(findings.lost == 0 && findings.repeated == 0 && findings.twice == 0)
      for name in names where !name.hasSuffix("-udp") { #expect(findings.cameras[name]?.gaps == 0, "\(name)") }
    }

    /// A camera that reboots comes back by itself; the first frame after it says that some are missing.
    @Test func aCameraThatRebootsComesBack() throws {
      let broker = try Testbed.broker()
      let steady = try Testbed.cameras("steady=h264")
      let camera = try Testbed.cameras("gate=h264")
      let gateway = try Gateway(
        brokers: broker.address,
        [Gateway.Camera("steady", try steady.url("steady")), Gateway.Camera("gate", try camera.url("gate"))])
      try Testbed.read(broker, ["steady", "gate"], frames: 40, follow: true, skip: ["decode"], mayComplain: true)

      let mark = gateway.child.errors.count
      try camera.kill()
      let afterLoss = try gateway.waitForLog(from: mark, "camera gate", "retry in")
      let rebooted = try Testbed.cameras("gate=h264", options: ["--port", "\(camera.port)"])
      try gateway.waitForLog(from: afterLoss, "camera gate", "streaming")
      let seen = try Testbed.read(broker, ["steady", "gate"], skip: ["decode"], mayComplain: true)
      let wanted = try #require(seen.cameras["gate"]).frames + 40
      try Testbed.read(broker, ["steady", "gate"], frames: wanted, follow: true, skip: ["decode"], mayComplain: true)
      try gateway.stop()
      withExtendedLifetime((rebooted, steady)) {}

      let findings = try Testbed.read(broker, ["steady", "gate"], gaps: ["network", "camera"])
      #expect(findings.lost == 0 && findings.repeated == 0)
      #expect(findings.cameras["gate"]?.gaps == 1)
      #expect(findings.cameras["steady"]?.gaps == 0)
    }

    /// A camera that stops sending while its connection lives is noticed by the frame watchdog and reopened.
    @Test func aCameraThatFallsSilentIsReopened() throws {
      let broker = try Testbed.broker()
      let cameras = try Testbed.cameras("gate=h264")
      // With the usual five seconds: a busy machine is silent for one or two now and then.
      let gateway = try Gateway(brokers: broker.address, [Gateway.Camera("gate", try cameras.url("gate"))])
      try Testbed.read(broker, ["gate"], frames: 40, follow: true, skip: ["decode"], mayComplain: true)
      let mark = gateway.child.errors.count
      try cameras.command("stall gate")
      let afterLoss = try gateway.waitForLog(from: mark, "camera gate", "retry in")
      try cameras.command("resume gate")
      try gateway.waitForLog(from: afterLoss, "camera gate", "streaming")
      let seen = try Testbed.read(broker, ["gate"], skip: ["decode"], mayComplain: true)
      try Testbed.read(broker, ["gate"], frames: seen.frames + 40, follow: true, skip: ["decode"], mayComplain: true)
      try gateway.stop()
      let findings = try Testbed.read(broker, ["gate"], gaps: ["network", "camera"])
      #expect(findings.gaps == 1 && findings.lost == 0 && findings.repeated == 0)
    }

    /// What the records say of faults: each hole, once, with its reason, and every frame on both sides of it decodes.
    @Test func recordsTellOfHoles() throws {
      let broker = try Testbed.broker()
      let responder = try Testbed.responder()
      let holes = ["lost-inside": 1, "breaks-in-keyframe": 1, "switch": 0, "two-tracks": 0, "clock-ahead": 0]
      let gateway = try Gateway(
        brokers: broker.address, try holes.keys.sorted().map { Gateway.Camera($0, try responder.url($0)) })
      let names = holes.keys.sorted()
      try Testbed.read(broker, names, frames: 120, follow: true, skip: ["decode"], mayComplain: true)
      try gateway.stop()
      let findings = try Testbed.read(broker, names, frames: 120, gaps: ["network", "camera"])
      for (name, count) in holes { #expect(findings.cameras[name]?.gaps == count, "\(name)") }
    }

    /// Neither a camera nor a broker has to be there when the gateway starts.
    @Test func absentAtStart() throws {
      let (cameraPort, brokerPort) = (try Testbed.freePort(), try Testbed.freePort())
      let gateway = try Gateway(
        brokers: "127.0.0.1:\(brokerPort)", [Gateway.Camera("gate", "rtsp://127.0.0.1:\(cameraPort)/gate")])
      try gateway.waitForLog("camera gate", "nothing listens", "retry in")
      let cameras = try Testbed.cameras("gate=h264", options: ["--port", "\(cameraPort)"])
      try gateway.waitForLog("camera gate", "streaming")
      try gateway.waitForLog("kafka", "retrying")
      let broker = try Testbed.broker(port: brokerPort)
      try Testbed.read(broker, ["gate"], frames: 60, follow: true, skip: ["decode"], mayComplain: true)
      try gateway.stop()
      withExtendedLifetime(cameras) {}
      try Testbed.read(broker, ["gate"], frames: 60)
    }
  }
}
