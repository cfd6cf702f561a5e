import Foundation
import Frames
import Posix
import Testing

@testable import Settings

@Suite struct SettingsFileTests {
  private func read(_ text: String, directory: String = "", environment: [String: String] = [:]) -> SettingsFile {
    SettingsFile(name: "s.yaml", bytes: Array(text.utf8), directory: directory, environment: environment)
  }

  private func cameras(_ list: String) throws -> [Configuration.Camera] {
    let file = read("kafka: {brokers: [k]}\ncameras:\n" + list)
    return try #require(file.configuration, "\(file.report)").cameras
  }

  @Test func brokersGetTheirPortAndMayBeAWordOrAList() throws {
    func brokers(_ text: String) -> [String]? {
      read("kafka: {brokers: \(text)}\ncameras: [{name: a, url: 'test:'}]").configuration?.kafka.brokers
    }
    #expect(brokers("k") == ["k:9092"])
    #expect(
      brokers("[k:1, '[::1]:2', '[fe80::1]', 10.0.0.1]") == ["k:1", "[::1]:2", "[fe80::1]:9092", "10.0.0.1:9092"])
    #expect(brokers("'a:1,b:2'") == ["a:1", "b:2"])
    #expect(brokers("'a:0'") == nil)
    #expect(brokers("'[::1'") == nil)
    #expect(brokers("-10.0.0.1") == nil)
  }

  @Test func environmentIsPutInEverywhere() throws {
    let file = read(
      "gateway: dock-${N}\nkafka: {brokers: ['${HOST}:${PORT}'], properties: {client.rack: 'a$$b'}}\n"
        + "cameras: [{name: a, url: 'rtsp://h/${N}'}]",
      environment: ["N": "7", "HOST": "k", "PORT": "1"])
    let settings = try #require(file.configuration, "\(file.report)")
    #expect(settings.gateway == "dock-7")
    #expect(settings.kafka.brokers == ["k:1"])
    #expect(settings.kafka.properties.map(\.value) == ["a$b"])
    #expect(settings.cameras[0].description.source == .rtsp(url: "rtsp://h/7", login: nil, transport: .tcp))
  }

  @Test func gatewayIsTheHostNameByDefault() {
    let text = "kafka: {brokers: [k]}\ncameras: [{name: a, url: 'test:'}]"
    #expect(read(text, environment: ["HOSTNAME": "host-1"]).configuration?.gateway == "host-1")
    #expect(read(text).configuration?.gateway.isEmpty == false)
    #expect(read("gateway: ${HOSTNAME}\n" + text).configuration?.gateway.isEmpty == false)
  }

  /// What is shown can be read again, so what is read is what is shown.
  @Test func limitsAndLoginsInClear() throws {
    func shown(_ keys: String) throws -> String {
      let file = read("kafka: {brokers: [k]}\ncameras: [{name: a, url: 'rtsp://h/', \(keys)}]")
      return try #require(file.configuration, "\(file.report)").rendered
    }
    let limited = try shown("limits: {bitrate: 20Mbit/s, fps: 30, frame: 2MiB}")
    for line in ["bitrate: 20Mbit/s", "fps: 30", "frame: 2MiB"] {
      #expect(limited.contains("      \(line)\n"), "\(limited)")
    }
    let basic = try shown("username: u, password: 'secret', auth: basic")
    #expect(basic.contains("    auth: basic\n"), "\(basic)")
    for (keys, complaint) in [
      ("limits: {bitrate: 20}", "'20' is not a rate"), ("limits: {fps: 0}", "'0' is not a number of frames"),
      ("limits: {frame: 1KiB}", "must be from 64KiB to 1GiB"), ("limits: {rate: 1}", "unknown key 'rate'"),
      ("auth: basic", "there is no login"),
      ("username: u, password: p, auth: none", "the value is none of digest, basic"),
    ] {
      let report = read("kafka: {brokers: [k]}\ncameras: [{name: a, url: 'rtsp://h/', \(keys)}]").report
      #expect(report.contains(complaint), "\(keys): \(report)")
    }
  }

  @Test func sourcesOfAllKinds() throws {
    let list = try cameras(
      """
        - {name: a, url: "rtsp://10.0.0.1:8554/x?y=1#z", transport: udp, topic: other}
        - {name: b, url: "file:/tmp/clip.mp4", loop: true}
        - {name: c, url: "test:320x240@10", timeouts: {connect: 1s, first_frame: 250ms, next_frame: 2m}}
        - {name: d, url: "test:"}
      """)
    #expect(list[0].description.source == .rtsp(url: "rtsp://10.0.0.1:8554/x?y=1#z", login: nil, transport: .udp))
    #expect(list.map(\.topic) == ["other", nil, nil, nil])
    #expect(list[1].description.source == .file(path: "/tmp/clip.mp4", loops: true))
    #expect(list[2].description.source == .test(width: 320, height: 240, fps: 10))
    #expect(list[2].description.timeouts.firstFrame == .milliseconds(250))
    #expect(list[2].description.timeouts.nextFrame == .seconds(120))
    #expect(list[3].description.source == .test(width: 640, height: 480, fps: 15))
  }

  /// Without TLS the password of PLAIN, and the token of OAUTHBEARER, go over the network as they are.
  @Test(arguments: [
    ("[k]", "sasl: {mechanism: PLAIN, username: u, password: p}", "kafka.sasl: the password is readable"),
    ("[k]", "sasl: {mechanism: OAUTHBEARER, token_command: x}", "kafka.sasl: the token is readable"),
    ("['127.0.0.1:9', k]", "sasl: {mechanism: PLAIN, username: u, password: p}", "kafka.sasl: the password is"),
    (
      "[k]", "properties: {security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, sasl.username: u}",
      "kafka.properties.security.protocol: the password is readable"
    ),
    ("[k]", "sasl: {mechanism: PLAIN, username: u, password: p}, tls: {}", nil),
    ("[k]", "sasl: {mechanism: SCRAM-SHA-256, username: u, password: p}", nil),
    (
      "[localhost, '127.1.2.3:9', '[::1]:9', LocalHost.]", "sasl: {mechanism: PLAIN, username: u, password: p}", nil
    ),
    ("[k]", "properties: {security.protocol: sasl_ssl, sasl.mechanism: PLAIN}", nil),
    ("[k]", "properties: {security.protocol: sasl_plaintext, sasl.mechanism: SCRAM-SHA-256}", nil),
  ])
  func aReadableLoginIsWarnedOf(_ brokers: String, _ security: String, _ warning: String?) {
    let file = read("kafka: {brokers: \(brokers), \(security)}\ncameras: [{name: a, url: 'test:'}]")
    #expect(file.configuration != nil, "\(file.report)")
    if let warning {
      #expect(file.report.contains("warning: \(warning)") && file.report.contains("set "), "\(file.report)")
    } else {
      #expect(file.report == "")
    }
  }

  @Test func theRingIsReadAsWritten() throws {
    let file = read(
      """
      kafka: {brokers: [k]}
      buffer: {directory: ring, size: 8GiB, segment: 64MiB, write: always, spill_after: 3s, sync_interval: 500ms,
        sync_bytes: 1MiB, thin_above: 70%}
      cameras: [{name: a, url: 'rtsp://h/'}]
      """)
    let buffer = try #require(file.configuration, "\(file.report)").buffer
    #expect(buffer.directory?.hasSuffix("ring") == true && buffer.size == 8 << 30 && buffer.segment == 64 << 20)
    #expect(buffer.write == .always && buffer.spillAfter == .seconds(3) && buffer.syncInterval == .milliseconds(500))
    #expect(buffer.syncBytes == 1 << 20 && buffer.thinAbove == 70)
    let rendered = try #require(file.configuration).rendered
    #expect(read(rendered).configuration?.buffer.directory == buffer.directory, "\(rendered)")
  }

  @Test func devicesHaveAFormatAndControlsInOrder() throws {
    let list = try cameras(
      """
        - {name: a, device: "usb:SN 1"}
        - {name: b, device: /dev/video0, format: yuyv 640x480@30, controls: {z: manual, a: 1, m: true}}
        - {name: c, device: /dev/v4l/by-id/usb-x-video-index0, format: "@5"}
      """)
    #expect(list[0].description.source == .device(.init(path: "usb:SN 1")))
    let controls = [("z", "manual"), ("a", "1"), ("m", "true")].map { CameraDescription.Control(name: $0, value: $1) }
    let format = DeviceFormat(encoding: .yuyv, width: 640, height: 480, fps: 30)
    #expect(list[1].description.source == .device(.init(path: "/dev/video0", format: format, controls: controls)))
    #expect(
      list[2].description.source
        == .device(.init(path: "/dev/v4l/by-id/usb-x-video-index0", format: DeviceFormat(fps: 5))))
  }

  @Test(arguments: [
    ("rtsp://viewer:secret@h/1", "viewer", "secret"), ("rtsp://viewer:p%40ss%3Aw0rd@h/1", "viewer", "p@ss:w0rd"),
    ("rtsp://viewer:p@ss:w0rd@h/1", "viewer", "p@ss:w0rd"),
    ("rtsp://viewer:@h/1", "viewer", ""), ("rtsp://us%20er:%2541@h/1", "us er", "%41"),
  ])
  func aLoginIsTakenOutOfTheURL(_ url: String, _ user: String, _ password: String) throws {
    let file = read("kafka: {brokers: [k]}\ncameras: [{name: a, url: '\(url)'}]")
    let settings = try #require(file.configuration, "\(file.report)")
    let login = CameraDescription.Login(username: user, password: password)
    #expect(settings.cameras[0].description.source == .rtsp(url: "rtsp://h/1", login: login, transport: .tcp))
    #expect(file.diagnostics.map(\.severity) == [.warning])
    let secrets = Secrets()
    file.registerSecrets(in: secrets)
    #expect(secrets.masked("a \(password) b") == (password.isEmpty ? "a  b" : "a *** b"))
    #expect(password.isEmpty || !settings.rendered.contains(password))
    #expect(password.isEmpty || !file.report.contains(password))
  }

  @Test func encryptedCameras() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("settings-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data("a certificate".utf8).write(to: folder.appendingPathComponent("ca.pem"))
    let text = """
      kafka: {brokers: [k]}
      cameras:
        - {name: a, url: "rtsps://h/1"}
        - {name: b, url: "rtsps://u:p@h:322/1", tls: {ca: ca.pem}}
        - {name: c, url: "rtsps://h/1", tls: {verify: false}}
        - {name: d, url: "rtsp://h/1", transport: auto}
      """
    let file = SettingsFile(
      name: "camgate.yaml", bytes: Array(text.utf8), directory: folder.path + "/", environment: ["HOSTNAME": "host-1"])
    let list = try #require(file.configuration, "\(file.report)").cameras.map(\.description.source)
    let login = CameraDescription.Login(username: "u", password: "p")
    #expect(list[0] == .rtsp(url: "rtsps://h/1", login: nil, transport: .tcp, tls: .init()))
    let authority = folder.path + "/ca.pem"
    #expect(
      list[1] == .rtsp(url: "rtsps://h:322/1", login: login, transport: .tcp, tls: .init(authorityFile: authority)))
    #expect(list[2] == .rtsp(url: "rtsps://h/1", login: nil, transport: .tcp, tls: .init(verifies: false)))
    #expect(list[3] == .rtsp(url: "rtsp://h/1", login: nil, transport: .auto))
    #expect(file.configuration?.rendered.contains("verify: false") == true)
  }

  /// FFmpeg would cut it off, and the camera see a wrong password.
  @Test func aLoginOfMoreThanRTSPCarriesIsRefused() {
    func report(_ password: String) -> String {
      read("kafka: {brokers: [k]}\ncameras: [{name: a, url: 'rtsp://h/1', username: u, password: '\(password)'}]")
        .report
    }
    #expect(report(String(repeating: "x", count: 125)).isEmpty)
    #expect(report(String(repeating: "x", count: 126)).contains("too long for RTSP: 128 bytes"))
    #expect(report(String(repeating: "ü", count: 21)).contains("too long for RTSP: 128 bytes"))
  }

  @Test func passwordFileIsRelativeToTheSettingsFileAndLosesItsLineEnd() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("settings-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data("p@ss w0rd \r\n".utf8).write(to: folder.appendingPathComponent("secret"))
    let settings = folder.appendingPathComponent("camgate.yaml")
    try Data(
      "kafka: {brokers: [k]}\ncameras: [{name: a, url: 'rtsp://h/1', username: u, password_file: secret}]".utf8
    ).write(to: settings)
    let file = SettingsFile(path: settings.path, environment: [:])
    let login = CameraDescription.Login(username: "u", password: "p@ss w0rd ")
    #expect(
      file.configuration?.cameras[0].description.source == .rtsp(url: "rtsp://h/1", login: login, transport: .tcp),
      "\(file.report)")
    let named = folder.appendingPathComponent("secret").path
    #expect(file.configuration?.files == [named], "what is copied with the settings")
  }

  @Test func aFileThatCannotBeReadIsAnErrorWithItsName() {
    #expect(
      SettingsFile(path: "/nowhere/camgate.yaml").report
        == "/nowhere/camgate.yaml: error: cannot be read: No such file or directory")
    #expect(SettingsFile(path: "/dev/zero").report.contains("larger than 1 MiB"))
    #expect(SettingsFile(path: "/").report.contains("cannot be read"))
  }

  @Test func aFileOfAnotherNameNextToAMissingOneIsNamed() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("settings-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (wanted, present) in [("camgate.yaml", "camgate.yaml.txt"), ("a.yml", "a.yaml"), ("b", "b.yaml")] {
      try Data("x".utf8).write(to: folder.appendingPathComponent(present))
      let path = folder.appendingPathComponent(wanted).path
      #expect(
        SettingsFile(path: path).report
          == "\(path): error: cannot be read: No such file or directory; but there is '\(present)': rename it, or name it here"
      )
    }
  }

  /// What libyaml's loader would be busy with for a minute.
  @Test(arguments: ["[", "{a: ", "- ", "? ", "[{a: "])
  func nestingIsBounded(_ opening: String) {
    let text = String(repeating: opening, count: 200_000 / opening.utf8.count)
    #expect(read(text).report.contains("error: not YAML: too deeply nested\n"))
  }

  /// Aliases may not nest deeper than the text may.
  @Test func aliasesAreBounded() {
    let chain = (1...40).map { "- &a\($0) [*a\($0 - 1)]\n" }.joined()
    #expect(read("- &a0 x\n" + chain).report.contains("too deeply nested"))
    let bomb = (1...20).map { "- &b\($0) [\(Array(repeating: "*b\($0 - 1)", count: 9).joined(separator: ","))]\n" }
      .joined()
    #expect(read("- &b0 x\n" + bomb).report.contains("aliases repeat too much"))
  }

  /// With a ring a quarter of memory is kept for what comes back from there.
  @Test(arguments: [("4MiB", "14MiB"), ("4MiB, directory: /tmp/ring", "18MiB")] as [(String, String)])
  func theMemoryForAStallIsSaid(_ buffer: String, _ need: String) throws {
    let settings = try #require(
      read(
        """
        kafka: {brokers: [k]}
        buffer: {memory: \(buffer)}
        cameras:
          - {name: a, url: 'rtsp://h/'}
          - {name: b, device: /dev/video0, format: mjpeg 1280x720@15}
          - {name: c, url: 'test:640x480@10'}
        """
      ).configuration)
    // 8,000,000 and 1280 x 720 x 15 and 640 x 480 x 10 / 10 bits a second, for 5 s.
    let lines = settings.rendered.split(separator: "\n")
    let place = try #require(lines.firstIndex(of: "  memory: 4MiB"))
    #expect(
      lines[(place - 2)..<place] == [
        "  # While neither Kafka nor the disk takes anything for 5 s these cameras need \(need), at 8 Mbit/s for each",
        "  # (of JPEG from a device 1 bit a pixel): assumed; `camgate probe` measures.",
      ])
  }

  @Test func whatIsRenderedCanBeReadAgain() throws {
    let text = """
      gateway: dock-7
      kafka:
        brokers: [k:1, '[::1]:2']
        message_max_bytes: 1500000B
        properties: {ssl.ca.location: '/a b/"c".pem', sasl.password: geheim, client.rack: 'x$$y: z'}
      buffer: {memory: 64MiB}
      cameras:
        - {name: a, url: 'rtsp://u:geheim2@h/1 '}
        - {name: b, url: 'file:/tmp/ü - 1.mp4', loop: true}
        - {name: c, url: 'test:32x32@1', timeouts: {next_frame: 1500ms}, topic: t}
        - {name: d, device: 'usb:S N', format: nv12 640x480@5, controls: {'a b': manual, c: 1}}
      stop_timeout: 90s
      log: {level: debug, format: json}
      """.replacing("h/1 ", with: "h/1")
    let first = try #require(read(text).configuration)
    #expect(!first.rendered.contains("geheim"))
    let again = read(first.rendered)
    let second = try #require(again.configuration, "\(again.report)\n\(first.rendered)")
    #expect(second.rendered == first.rendered)
    #expect(second.kafka.properties[0].value == "/a b/\"c\".pem")
  }

  @Test func aRefusedPropertyIsReportedAtItsPlace() throws {
    let file = read("kafka:\n  brokers: [k]\n  properties:\n    foo.bar: 1\ncameras: [{name: a, url: 'test:'}]")
    let property = try #require(file.properties.first)
    #expect(
      file.refusal(of: property, message: "No such property").rendered(in: file.source) == """
        s.yaml:4:5: error: kafka.properties.foo.bar: No such property
            4 |     foo.bar: 1
              |     ^~~~~~~
        """)
  }

  @Test func unitsAreReadAndWritten() {
    for (text, value) in [("512KiB", 512 << 10), ("8GiB", 8 << 30), ("1TiB", 1 << 40), ("3MB", 3_000_000), ("7B", 7)] {
      #expect(Units.size(text) == value)
    }
    for text in ["", "1", "MiB", "-1MiB", "1.5GiB", "1mib", "99999999999TiB", "1 MiB x"] {
      #expect(Units.size(text) == nil)
    }
    #expect(Units.text(size: 32 << 20) == "32MiB")
    #expect(Units.text(size: 1_500_000) == "1500000B")
    #expect(Units.duration("2m") == .seconds(120))
    #expect(Units.text(duration: .seconds(120)) == "2m")
    #expect(Units.text(duration: .milliseconds(1_500)) == "1500ms")
    #expect(Units.text(duration: .zero) == "0ms")
    for text in ["", "5", "s", "5 years", "-1s", "1.5s"] { #expect(Units.duration(text) == nil) }
  }

  @Test func suggestionsAreNear() {
    #expect(Suggestion.text(for: "rstp", among: ["rtsp", "file"]) == "; did you mean 'rtsp'?")
    #expect(Suggestion.text(for: "colour", among: ["topic", "url"]) == "")
    #expect(Suggestion.distance("kitten", "sitting") == 3)
    #expect(Suggestion.distance("ab", "ba") == 1)
  }
}
