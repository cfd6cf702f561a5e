import Foundation
import Testing

extension IntegrationTests.KafkaSide {
  /// Encryption and login, on a real broker behind a real TLS front.
  @Suite struct SecurityTests {
    let broker: Server
    let cameras: Server
    let directory: URL

    init() throws {
      broker = try Testbed.broker()
      cameras = try Testbed.cameras("gate=h264")
      directory = FileManager.default.temporaryDirectory.appending(path: "camgate-tls-\(UUID().uuidString)")
      let maker = try Testbed.program("certificates", [directory.path])
      #expect(try maker.waitForExit() == .code(0), "\(maker.transcript)")
    }

    private func path(_ name: String) -> String { directory.appending(path: name).path }

    /// A TLS front for the broker that shows the certificate of this name.
    private func front(_ name: String, _ options: String...) throws -> Server {
      let certificate = ["--certificate", path("\(name).pem"), "--key", path("\(name).key")]
      return try Server("proxy", ["\(broker.port)", "--kafka"] + certificate + options)
    }

    private func gateway(_ front: some Bootstrap, _ kafka: String, _ more: String = "") throws -> Gateway {
      try Gateway(
        brokers: front.address, [Gateway.Camera("gate", try cameras.url("gate"))], kafka: kafka,
        more: "stop_timeout: 1s\n\(more)")
    }

    private func follow(frames: Int) throws {
      try Testbed.read(broker, ["gate"], frames: frames, follow: true, skip: ["decode"], mayComplain: true)
    }

    @Test func theRightAuthorityPasses() throws {
      let front = try front("good")
      let gateway = try gateway(front, "tls: {ca: '\(path("ca.pem"))'}")
      try follow(frames: 30)
      try gateway.stop()
      let consumer = try IntegrationTests.CameraSide.ConsumeTests.consume(
        front, group: "tls", "--ca", path("ca.pem"), "--count", "30")
      #expect(try consumer.waitForExit() == .code(0), "\(consumer.transcript)")
    }

    /// Each mistake is named, and the ring fills meanwhile.
    @Test(arguments: [
      ("good", "other-ca", "is not signed by a CA that is trusted here"), ("wrong-name", "ca", "is for another name"),
      ("expired", "ca", "has expired"),
    ])
    func aWrongCertificateIsRefusedWithItsReason(_ certificate: String, _ authority: String, _ reason: String) throws {
      let front = try front(certificate)
      try FileManager.default.createDirectory(atPath: path("ring"), withIntermediateDirectories: true)
      let gateway = try gateway(
        front, "tls: {ca: '\(path(authority)).pem'}",
        "buffer: {directory: '\(path("ring"))', size: 65MiB, segment: 8MiB}")
      try gateway.waitForLog("no connection to Kafka", reason, "frames are kept")
      try gateway.waitForLog("frames go to disk")
      let consumer = try IntegrationTests.CameraSide.ConsumeTests.consume(
        front, group: "tls", "--ca", path(authority) + ".pem")
      _ = try consumer.waitForErrors { $0.contains(reason) }
      gateway.child.signal(SIGTERM)
      #expect(try gateway.child.waitForExit() == .code(0))
      #expect(gateway.child.errors.contains { $0.contains(" 0 dropped") }, "\(gateway.child.transcript)")
      #expect(try gateway.count(" wait on disk") > 0)
    }

    @Test func verificationCanBeSwitchedOff() throws {
      let front = try front("expired")
      let gateway = try gateway(front, "tls: {verify: false}")
      #expect(gateway.child.errors.isEmpty || gateway.child.errors.contains { $0.contains("pose as the broker") })
      try follow(frames: 10)
      try gateway.stop()
    }

    /// A front that wants a certificate gets it; without one nothing passes.
    @Test func aClientCertificateIsShown() throws {
      let front = try front("good", "--client-ca", path("ca.pem"))
      let stranger = try gateway(front, "tls: {ca: '\(path("ca.pem"))'}")
      try stranger.waitForLog("no connection to Kafka")
      let files = "ca: '\(path("ca.pem"))', certificate: '\(path("client.pem"))', key: '\(path("client.key"))'"
      let gateway = try gateway(front, "tls: {\(files)}")
      try follow(frames: 10)
      try gateway.stop()
    }

    /// The authority is mended in its file: SIGHUP, and what was kept goes out.
    @Test func certificatesAreReadAgainOnRequest() throws {
      try FileManager.default.copyItem(atPath: path("other-ca.pem"), toPath: path("current.pem"))
      let front = try front("good")
      let gateway = try gateway(front, "tls: {ca: '\(path("current.pem"))'}")
      let mark = try gateway.waitForLog("is not signed by a CA that is trusted here")
      try FileManager.default.removeItem(atPath: path("current.pem"))
      gateway.child.signal(SIGHUP)
      let refused = try gateway.waitForLog(from: mark, "the old ones stay")
      try FileManager.default.copyItem(atPath: path("ca.pem"), toPath: path("current.pem"))
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog(from: refused, "a new producer is in use")
      try follow(frames: 30)
      try gateway.stop()
      let findings = try Testbed.read(broker, ["gate"])
      #expect(findings.lost == 0 && findings.repeated == 0 && findings.gaps == 0)
    }

    /// noida takes any login; what is shown is the handshake, and that no secret is written anywhere.
    @Test func aLoginPassesAndStaysSecret() throws {
      try Data("hunter2-hunter2\n".utf8).write(to: directory.appending(path: "password"))
      let login = "mechanism: PLAIN, username: gateway, password_file: '\(path("password"))'"
      let gateway = try Gateway(
        brokers: broker.address, [Gateway.Camera("gate", try cameras.url("gate"))], kafka: "sasl: {\(login)}",
        more: "log: {level: debug}")
      try follow(frames: 10)
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog("a new producer is in use")
      try gateway.stop()
      #expect(!gateway.child.errors.contains { $0.contains("hunter2") })
      let consumer = try IntegrationTests.CameraSide.ConsumeTests.consume(
        broker, group: "sasl", "--sasl", "PLAIN", "--username", "u", "--password-file", path("password"), "--count", "5"
      )
      #expect(try consumer.waitForExit() == .code(0), "\(consumer.transcript)")
    }

    /// Each mechanism in a dialogue with the other side, written down a second time (sasl.py) in front of a broker: a wrong
    /// secret is refused and said so, the right one, read again on request, passes.
    @Test(arguments: ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"])
    func aLoginIsCheckedByTheOtherSide(_ mechanism: String) throws {
      let secret = "s3cret-\(mechanism)"
      let front = try Server("proxy", ["\(broker.port)", "--kafka", "--sasl", mechanism, "gateway", secret])
      let file = directory.appending(path: "secret")
      try Data("wrong\n".utf8).write(to: file)
      let login =
        mechanism == "OAUTHBEARER" ? "token_file: '\(file.path)'" : "username: gateway, password_file: '\(file.path)'"
      let gateway = try gateway(front, "sasl: {mechanism: \(mechanism), \(login)}")
      try gateway.waitForLog("no connection to Kafka", "SASL", "frames are kept")
      try Data((secret + "\n").utf8).write(to: file)
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog("a new producer is in use")
      try follow(frames: 30)
      try gateway.stop()
      #expect(!gateway.child.errors.contains { $0.contains(secret) })
      let findings = try Testbed.read(broker, ["gate"])
      #expect(findings.lost == 0 && findings.repeated == 0 && findings.gaps == 0)
      let proof =
        mechanism == "OAUTHBEARER"
        ? ["--token-file", file.path] : ["--username", "gateway", "--password-file", file.path]
      let consumer = try IntegrationTests.CameraSide.ConsumeTests.consume(
        front, group: "sasl", ["--sasl", mechanism] + proof + ["--count", "5"])
      #expect(try consumer.waitForExit() == .code(0), "\(consumer.transcript)")
    }
  }
}
