import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// What lies open to others on the machine or on the network is said, once at each start, with what to do about it.
  @Suite struct ExposureTests {
    private static let nobody = 65_534
    let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-test-\(UUID().uuidString)")

    init() throws {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    private func write(_ text: String, _ name: String, mode: Int) throws -> String {
      let file = directory.appending(path: name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
      return file.path
    }

    private func camera(_ name: String, _ file: String) -> Gateway.Camera {
      Gateway.Camera(name, "rtsp://127.0.0.1:9/1", ["username": "viewer", "password_file": "'\(file)'"])
    }

    /// A password that every user of the machine can read, each file once; not those that others cannot reach.
    @Test func passwordFilesOfAll() throws {
      let open = try write("s3cret\n", "open", mode: 0o644)
      let mine = try write("s3cret\n", "mine", mode: 0o640)
      let hidden = try write("s3cret\n", "hidden/open", mode: 0o644)
      try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: directory.path + "/hidden")
      let token = try write("opaque\n", "token", mode: 0o604)
      let mounted = try write("s3cret\n", "mount/..2026_11_28/password", mode: 0o644)
      let mount = directory.path + "/mount"
      try FileManager.default.createSymbolicLink(atPath: mount + "/..data", withDestinationPath: "..2026_11_28")
      try FileManager.default.createSymbolicLink(atPath: mount + "/password", withDestinationPath: "..data/password")
      let gateway = try Gateway(
        brokers: "127.0.0.1:9",
        [
          camera("a", open), camera("b", open), camera("c", mine), camera("d", hidden),
          camera("e", mount + "/password"), Gateway.Camera("f", "test:64x64@5"),
        ],
        kafka: "sasl: {mechanism: OAUTHBEARER, token_file: '\(token)'}", more: "stop_timeout: 0s")
      try gateway.waitForLog("camera f: streaming")
      try gateway.stop()
      let lines = gateway.child.errors.filter { $0.contains("every user of this machine") }
      #expect(lines.count == 2, "\(gateway.child.transcript)")
      #expect(lines.contains { $0.contains(" warning ") && $0.contains("\(open) ") && $0.contains("chmod o-r") })
      #expect(lines.contains { $0.contains("\(token) ") })
      withExtendedLifetime(mounted) {}
    }

    /// So are settings with a password in them.
    @Test func settingsOfAll() throws {
      for (password, isSecret) in [("password: s3cret", true), ("password: '${PW}'", false)] {
        let settings = try Gateway.settings(
          brokers: "127.0.0.1:9",
          [Gateway.Camera("f", "test:64x64@5")], kafka: "sasl: {mechanism: PLAIN, username: u, \(password)}",
          more: "stop_timeout: 0s")
        let gateway = try Gateway(in: settings, environment: ["PW": "s3cret"])
        try gateway.waitForLog("camera f: streaming")
        try gateway.stop()
        let isSaid = gateway.child.errors.contains {
          $0.contains("camgate.yaml ") && $0.contains("every user of this machine")
        }
        #expect(isSaid == isSecret, "\(gateway.child.transcript)")
      }
    }

    @Test(arguments: [nil, nobody])
    func rootAndTheRingsOwner(_ user: Int?) throws {
      let ring = try RingDirectory()
      let settings = try Gateway.settings(
        brokers: "127.0.0.1:9", [Gateway.Camera("f", "test:64x64@5")],
        more: "buffer: {directory: \(ring.url.path), size: 65MiB, segment: 8MiB}\nstop_timeout: 0s")
      for owner in [0, Self.nobody] {
        #expect(chown(ring.url.path, uid_t(owner), gid_t(owner)) == 0 && chmod(ring.url.path, 0o777) == 0)
        for name in try FileManager.default.contentsOfDirectory(atPath: ring.url.path) {
          try FileManager.default.removeItem(atPath: "\(ring.url.path)/\(name)")
        }
        let copy = directory.appending(path: "settings-\(owner)")
        try FileManager.default.copyItem(at: settings, to: copy)
        let gateway = try Gateway(in: copy, user: user)
        try gateway.waitForLog("camera f: streaming")
        try gateway.stop()
        let foreign = gateway.child.errors.filter { $0.contains("belongs to another user (uid \(owner))") }
        #expect(foreign.count == (owner == user ?? 0 ? 0 : 1), "\(gateway.child.transcript)")
        #expect(foreign.allSatisfy { $0.contains(" warning ") && $0.contains(ring.url.path) })
        let root = gateway.child.errors.filter { $0.contains("running as root") }
        #expect(root.count == (user == nil ? 1 : 0), "\(gateway.child.transcript)")
      }
    }

    /// `check` says what is doubtful and passes; with --strict it does not.
    @Test func doubtfulSettingsDoNotPassAStrictCheck() throws {
      let settings = try Gateway.settings(
        brokers: "kafka-1", [Gateway.Camera("f", "test:64x64@5")],
        kafka: "sasl: {mechanism: PLAIN, username: u, password: s3cret}")
      defer { try? FileManager.default.removeItem(at: settings) }
      let file = settings.appending(path: "camgate.yaml").path
      let check = try Child(Testbed.camgate, ["check", file])
      #expect(try check.waitForExit() == .code(0), "\(check.transcript)")
      #expect(check.errors.contains { $0.contains("warning: kafka.sasl: ") && $0.contains("set kafka.tls") })
      let strict = try Child(Testbed.camgate, ["check", "--strict", file])
      #expect(try strict.waitForExit() == .code(78), "\(strict.transcript)")
      #expect(strict.errors.contains { $0.contains("error: kafka.sasl: ") } && strict.output.isEmpty)
      #expect(strict.errors.last == "\(file): 1 error; nothing was started", "\(strict.transcript)")
      let good = try Child(
        Testbed.camgate,
        ["check", "--strict", Testbed.root.appending(path: "image/config/camgate.yaml").path])
      #expect(try good.waitForExit() == .code(0), "\(good.transcript)")
    }

    @Test func aReadableLoginOfAReader() throws {
      let password = try write("s3cret\n", "password", mode: 0o600)
      let login = ["--sasl", "PLAIN", "--username", "u", "--password-file", password]
      for (brokers, isSaid) in [("camera.invalid:9", true), ("127.0.0.1:9", false)] {
        let consumer = try Child(
          Testbed.camgate, ["consume", "--brokers", brokers, "--group", "g"] + login)
        try consumer.waitForErrors { $0.contains("retrying") }
        consumer.signal(SIGTERM)
        _ = try consumer.waitForExit()
        let lines = consumer.errors.filter { $0.contains("the password is readable on the network") }
        #expect(lines.count == (isSaid ? 1 : 0), "\(consumer.transcript)")
      }
    }

    /// A command that gives tokens has ten seconds, and what it complains of is hidden like all else.
    @Test func whatACommandComplainsOf() throws {
      let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJnYXRlIn0.c2lnbmF0dXJl"
      let script = try write(
        "printf '%s\\n' '\u{1b}]0;title\u{7} \(token) https://u:geheim@vault/?password=hunter2' >&2\n"
          + "echo \(token)\nexit $1\n", "get-token", mode: 0o700)
      for code in [0, 3] {
        let gateway = try Gateway(
          brokers: "127.0.0.1:9", [Gateway.Camera("f", "test:64x64@5")],
          kafka: "sasl: {mechanism: OAUTHBEARER, token_command: 'sh \(script) \(code)'}",
          more: "log: {level: debug}\nstop_timeout: 0s")
        try gateway.waitForLog("https://***@vault")
        try gateway.stop()
        let said = gateway.child.errors
        for text in [token, "hunter2", "geheim", "\u{1b}"] {
          #expect(!said.contains { $0.contains(text) }, "\(text): \(gateway.child.transcript)")
        }
        if code == 3 { #expect(said.contains { $0.contains("no token") && $0.contains("vault") }) }
      }
    }
  }
}
