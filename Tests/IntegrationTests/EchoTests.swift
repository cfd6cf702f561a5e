import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// Servers that repeat the login they were given, in every spelling (Toolchain/testbed/echo.py). What the programs say
  /// is looked through where it comes in (`OddPassword`); here it is shown that they repeat it at all, and that the
  /// beginning of a secret is hidden where a library has cut the rest off.
  @Suite struct EchoTests {
    static let spellings = [
      "plain", "url", "url-without-host", "parameter", "percent", "percent-lowercase", "percent-twice", "base64",
      "base64-url", "base64-login", "header", "json", "json-utf8", "xml", "escape", "delete", "cut", "cut-percent",
      "cut-base64",
    ]
    static let password = "p@ss:w0rd %41 ü"

    let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-test-\(UUID().uuidString)")

    init() throws {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      try Data((Self.password + "\n").utf8).write(to: directory.appending(path: "secret"))
    }

    private var secret: String { directory.appending(path: "secret").path }

    /// A camera for each spelling.
    private func cameras() throws -> Server {
      let files = try Self.spellings.map { spelling in
        let file = directory.appending(path: "\(spelling).toml")
        try Data("login = \"viewer:x\"\necho = \"\(spelling)\"\n".utf8).write(to: file)
        return file.path
      }
      return try Server("responder", files)
    }

    /// No line shows the beginning of the secret either.
    private func expectNoBeginning(
      _ child: Child, of secret: String = password, sourceLocation: SourceLocation = #_sourceLocation
    ) {
      let base64 = Data("viewer:\(secret)".utf8).base64EncodedString()
      for beginning in [String(secret.prefix(4)), "p%40s", String(base64.dropFirst(9).prefix(4))] {
        let lines = (child.output + child.errors).filter { $0.contains(beginning) }
        #expect(lines.isEmpty, "\(beginning): \(lines)", sourceLocation: sourceLocation)
      }
    }

    @Test(arguments: ["text", "json"])
    func aCamera(_ format: String) throws {
      let server = try cameras()
      let login = ["username": "viewer", "password_file": "'\(secret)'"]
      let gateway = try Gateway(
        brokers: "127.0.0.1:\(try Testbed.freePort())",
        try Self.spellings.map { Gateway.Camera($0, try server.url($0), login) },
        more: "log: {level: debug, format: \(format)}\nstop_timeout: 100ms")
      for spelling in Self.spellings { try gateway.waitForLog("camera \(spelling)", "500", "***", "retry in") }
      try gateway.stop()
      expectNoBeginning(gateway.child)
    }

    @Test(arguments: [[], ["--json"]])
    func aCameraThatIsProbed(_ arguments: [String]) throws {
      let server = try cameras()
      let login = ["--username", "viewer", "--password-file", secret, "--verbose"]
      let probes = try Self.spellings.map { spelling in
        try Child(Testbed.camgate, ["probe", try server.url(spelling)] + login + arguments)
      }
      for probe in probes {
        #expect(try probe.waitForExit() == .code(1), "\(probe.transcript)")
        #expect(probe.output.contains { $0.contains("***") }, "\(probe.transcript)")
        expectNoBeginning(probe)
      }
    }

    /// Nobody answers `check`; but whoever writes settings may repeat a password in other places of them, where it is part
    /// of the effective settings, or of the line that an error shows.
    @Test(arguments: [true, false])
    func settingsThatAreChecked(_ isGood: Bool) throws {
      let file = directory.appending(path: "spellings")
      let program =
        "import sys, json; sys.path.insert(0, sys.argv[1]); import echo; "
        + "json.dump(list(echo.spellings('viewer', sys.argv[2]).values()), open(sys.argv[3], 'w'))"
      let testbed = Testbed.root.appending(path: "Toolchain/testbed").path
      let maker = try Child("/usr/bin/python3", ["-c", program, testbed, Self.password, file.path])
      #expect(try maker.waitForExit() == .code(0), "\(maker.transcript)")
      let texts = try JSONDecoder().decode([String].self, from: try Data(contentsOf: file))
      #expect(texts.count == Self.spellings.count)
      var cameras = [Gateway.Camera("gate", "rtsp://h/1", ["username": "viewer", "password_file": "'\(secret)'"])]
      for (index, text) in texts.enumerated() {
        var camera = Gateway.Camera("file-\(index)", "file:x")
        camera.keys[isGood ? "url" : "frobnicate"] = "\"file:\(Self.escaped(text))\""
        cameras.append(camera)
      }
      let directory = try Gateway.settings(brokers: "k", cameras)
      defer { try? FileManager.default.removeItem(at: directory) }
      let check = try Child(Testbed.camgate, ["check", directory.appending(path: "camgate.yaml").path])
      #expect(try check.waitForExit() == .code(isGood ? 0 : 78), "\(check.transcript)")
      let shown = (isGood ? check.output : check.errors).filter { $0.contains("***") }
      #expect(shown.count >= texts.count, "\(check.transcript)")
      expectNoBeginning(check)
    }

    /// Between the double quotes of YAML.
    private static func escaped(_ text: String) -> String {
      text.replacing("$", with: "$$").unicodeScalars.map { scalar in
        switch scalar {
        case "\"", "\\": "\\\(scalar)"
        case _ where scalar.properties.generalCategory == .control: String(format: "\\x%02x", scalar.value)
        default: String(scalar)
        }
      }.joined()
    }

    /// librdkafka cuts what a broker says after 511 bytes, and writes on behind it.
    @Test(arguments: ["PLAIN", "OAUTHBEARER"])
    func aBroker(_ mechanism: String) throws {
      let broker = try Testbed.broker()
      let isToken = mechanism == "OAUTHBEARER"
      let password = isToken ? "eyJhbGciOiJub25lIn0.eyJzdWIiOiJnYXRlIn0.c2lnbmF0dXJl" : "p@ss:w0rd"
      try Data((password + "\n").utf8).write(to: URL(filePath: secret))
      let login = isToken ? "token_command: \"cat '\(secret)'\"" : "username: viewer, password_file: '\(secret)'"
      let proof = isToken ? ["--token-file", secret] : ["--username", "viewer", "--password-file", secret]
      for spellings in Self.groups {
        let front = try Server(
          "proxy", ["\(broker.port)", "--kafka", "--sasl", mechanism, "viewer", "other", "--echo"] + spellings)
        let gateway = try Gateway(
          brokers: front.address, [Gateway.Camera("gate", "test:64x64@5")],
          kafka: "sasl: {mechanism: \(mechanism), \(login)}", more: "log: {level: debug}\nstop_timeout: 100ms")
        let consumer = try ConsumeTests.consume(front, group: "echo", ["--sasl", mechanism] + proof)
        try gateway.waitForLog("no connection to Kafka", "***")
        _ = try consumer.waitForErrors { $0.contains("***") }
        gateway.child.signal(SIGTERM)
        #expect(try gateway.child.waitForExit() == .code(0))
        consumer.signal(SIGTERM)
        #expect(try consumer.waitForExit() == .code(0), "\(consumer.transcript)")
        for child in [gateway.child, consumer] { expectNoBeginning(child, of: password) }
      }
    }

    /// What fits into one refusal.
    private static let groups = [
      ["plain", "percent", "percent-lowercase", "percent-twice", "base64", "base64-url", "base64-login"],
      ["json", "json-utf8", "xml", "escape", "delete", "header"], ["base64", "cut", "cut"],
      ["base64", "cut-percent", "cut-percent"], ["url", "url-without-host", "parameter", "cut-base64"],
    ]
  }
}
