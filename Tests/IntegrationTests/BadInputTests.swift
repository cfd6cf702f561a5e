import Broker
import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// What people get wrong: each is named, with what is wrong and what happens next; nothing crashes, no password shows,
  /// and the other cameras go on.
  @Suite struct BadInputTests {
    static let password = "hunter2-p@ss/word"
    static let shownPasswords = [password, "hunter2-p%40ss%2Fword", "hunter2-p%40ss/word", "hunter2"]

    @Test func badCamerasAreNamedAndTheOthersGoOn() throws {
      let broker = try Testbed.broker()
      let open = try Testbed.cameras("good=h264", "deaf=aac")
      let guarded = try Testbed.cameras("gate=h264", options: ["--login", "viewer:right"])
      let web = try Child("/usr/bin/python3", ["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"])
      let (banner, _) = try web.waitForOutput { $0.contains(" port ") }
      let webPort = try #require(banner.firstMatch(of: #/ port (\d+)/#)?.output.1)
      let mute = try Server("proxy", ["\(broker.port)"])
      try mute.command("blackhole")
      let files = FileManager.default.temporaryDirectory.appending(path: "camgate-test-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: files) }
      try Data().write(to: files.appending(path: "empty.mp4"))
      try Data("no film at all\n".utf8).write(to: files.appending(path: "text.mp4"))

      let login = [
        "username": "viewer", "password": "'\(Self.password)'", "timeouts": "{connect: 3s, first_frame: 3s}",
      ]
      let bad: [(name: String, url: String, says: [String])] = [
        ("not-found", "rtsp://\(open.address)/nowhere", ["404"]),
        ("wrong-password", try guarded.url("gate"), ["401", "password"]),
        ("http-server", "rtsp://127.0.0.1:\(webPort)/gate", ["RTSP"]),
        ("kafka-broker", "rtsp://\(broker.address)/gate", []),
        ("mute", "rtsp://\(mute.address)/gate", ["no answer in time"]),
        ("nobody", "rtsp://127.0.0.1:\(try Testbed.freePort())/gate", ["nothing listens"]),
        ("no-video", try open.url("deaf"), ["no H.264, H.265 or MJPEG video"]),
        ("no-host", "rtsp://camera.invalid/gate", ["camera.invalid"]),
        ("empty-file", "file:\(files.path)/empty.mp4", ["empty.mp4", "is this a video?"]),
        ("text-file", "file:\(files.path)/text.mp4", ["text.mp4", "is this a video?"]),
        ("no-file", "file:\(files.path)/missing.mp4", ["does not exist"]),
      ]
      let cameras = bad.map { camera in
        Gateway.Camera(camera.name, camera.url, camera.url.hasPrefix("rtsp:") ? login : [:])
      }
      let gateway = try Gateway(
        brokers: broker.address, [Gateway.Camera("good", try open.url("good"))] + cameras, more: "log: {level: debug}")
      for (name, _, texts) in bad {
        // Not always in the first attempt: on a busy machine that may run out of time.
        try gateway.child.waitForErrors { line in
          (["camera \(name): ", "retry in"] + texts).allSatisfy { line.contains($0) }
        }
      }
      let seen = try Testbed.read(broker, ["good"], frames: 60, follow: true, skip: ["decode"], mayComplain: true)
      #expect(seen.frames >= 60)
      try gateway.stop()
      expectNoPassword(gateway.child)
      withExtendedLifetime((web, guarded)) {}
    }

    /// The login may stand in the URL, too: it is taken out of it.
    @Test func aPasswordInTheURLIsNeverPrinted() throws {
      let guarded = try Testbed.cameras("gate=h264", options: ["--login", "viewer:right"])
      let camera = Gateway.Camera(
        "gate", try guarded.url("gate").replacing("//", with: "//viewer:hunter2-p%40ss%2Fword@"))
      let gateway = try Gateway(brokers: "127.0.0.1:\(try Testbed.freePort())", [camera], more: "log: {level: debug}")
      try gateway.waitForLog("camera gate", "401", "retry in")
      try gateway.stop()
      expectNoPassword(gateway.child)

      let check = try Child(Testbed.camgate, ["check", gateway.directory.appending(path: "camgate.yaml").path])
      #expect(try check.waitForExit() == .code(0), "\(check.transcript)")
      #expect(check.output.contains { $0.contains("***") })
      expectNoPassword(check)
    }

    /// A broker whose name does not resolve is an outage like any other.
    @Test func anUnknownBrokerIsNamedAndRetried() throws {
      let cameras = try Testbed.cameras("gate=h264")
      let gateway = try Gateway(
        brokers: "kafka.invalid:9092", [Gateway.Camera("gate", try cameras.url("gate"))], more: "stop_timeout: 500ms")
      let (banner, _) = try gateway.child.waitForErrors { $0.contains("gateway '\(Gateway.name)'") }
      #expect(banner.hasSuffix(", 1 camera"))
      try gateway.waitForLog("camera gate", "streaming")
      try gateway.waitForLog("kafka.invalid", "resolve", "retrying")
      try gateway.stop()
    }

    /// A topic that does not exist and may not be created is named; once it is there, what was kept arrives.
    @Test func aMissingTopicIsNamedAndWaitedFor() throws {
      let cluster = try MockCluster(brokerCount: 1)
      try cluster.createTopic("cameras", partitionCount: 1)
      cluster.hideTopic("cameras", true)
      let gateway = try Gateway(brokers: cluster.address, [Gateway.Camera("gate", "test:160x120@10")])
      let (line, _) = try gateway.child.waitForErrors { $0.contains("topic 'cameras': ") }
      #expect(line.contains("Unknown topic") && line.contains("retry in"), "\(line)")
      cluster.hideTopic("cameras", false)
      try Testbed.read(cluster, ["gate"], frames: 30, follow: true)
      try gateway.stop()
    }

    @Test func aBrokenFileIsRefusedWithItsLine() throws {
      let directory = try Gateway.settings(
        brokers: "127.0.0.1:9092", [Gateway.Camera("gate", "rstp://10.0.0.21/stream1")])
      defer { try? FileManager.default.removeItem(at: directory) }
      for verb in ["check", "run"] {
        let camgate = try Child(Testbed.camgate, [verb, directory.appending(path: "camgate.yaml").path])
        #expect(try camgate.waitForExit() == .code(78), "\(camgate.transcript)")
        #expect(
          camgate.errors.contains { $0.contains("camgate.yaml:5:") && $0.contains("rtsp") }, "\(camgate.transcript)")
      }
    }

    @Test(arguments: [["run"], ["run", "a", "b"], ["consume"], ["frobnicate"], ["consume", "--count", "0"]])
    func badUsage(arguments: [String]) throws {
      let camgate = try Child(Testbed.camgate, arguments)
      #expect(try camgate.waitForExit() == .code(64), "\(camgate.transcript)")
    }

    /// What is wrong with an option is said, also when its value begins with a dash.
    @Test(arguments: [
      (["consume", "--brokers", "k", "--group", "g", "--count", "-1"], "--count must be at least 1"),
      (["probe", "test:", "--seconds", "-1"], "--seconds must be from 1 to 86400"),
      (["discover", "--seconds", "-1"], "--seconds must be from 1 to 600"),
      (["demo", "--seconds", "-1"], "--seconds must be from 1 to 3600"),
      (["demo", "--outage", "-1"], "--outage must be from 0 to 60"),
      (["consume", "--brokers=-k", "--group", "g"], "'-k' is not a broker's address"),
      (["probe", "rtsp://10.0.0.1/1", "--username", "a"], "--username needs --password-file"),
    ])
    func whatIsWrongWithAnOptionIsSaid(arguments: [String], text: String) throws {
      let camgate = try Child(Testbed.camgate, arguments)
      #expect(try camgate.waitForExit() == .code(64), "\(camgate.transcript)")
      #expect(camgate.errors.contains { $0.hasPrefix("Error: ") && $0.contains(text) }, "\(camgate.transcript)")
    }

    @Test(arguments: [("test:640x480@15", 0), ("tset:", 78)])
    func standardInputIsChecked(url: String, code: Int) throws {
      let camgate = try Child(Testbed.camgate, ["check", "-"])
      for line in ["kafka: {brokers: [k]}", "cameras:", "  - name: gate", "    url: '\(url)'"] { camgate.send(line) }
      camgate.endInput()
      #expect(try camgate.waitForExit() == .code(Int32(code)), "\(camgate.transcript)")
      if code == 0 {
        #expect(camgate.output.contains("    url: \(url)"), "\(camgate.transcript)")
      } else {
        #expect(camgate.errors.first?.hasPrefix("standard input:4:11: error: ") == true, "\(camgate.transcript)")
        #expect(camgate.errors.last == "standard input: 1 error; nothing was started")
      }
    }

    @Test func aMissingFileNextToOneWithAnotherEndingIsSaid() throws {
      let directory = try Gateway.settings(brokers: "k", [Gateway.Camera("gate", "test:")])
      defer { try? FileManager.default.removeItem(at: directory) }
      let path = directory.appending(path: "camgate.yaml")
      try FileManager.default.moveItem(at: path, to: path.appendingPathExtension("txt"))
      let camgate = try Child(Testbed.camgate, ["run", path.path])
      #expect(try camgate.waitForExit() == .code(78))
      #expect(
        camgate.errors == [
          "\(path.path): error: cannot be read: No such file or directory; but there is 'camgate.yaml.txt': rename it, or name it here",
          "\(path.path): 1 error; nothing was started",
        ])
    }

    private func expectNoPassword(_ child: Child, sourceLocation: SourceLocation = #_sourceLocation) {
      let shown = (child.output + child.errors).filter { line in Self.shownPasswords.contains(where: line.contains) }
      #expect(shown.isEmpty, "\(shown)", sourceLocation: sourceLocation)
    }
  }
}
