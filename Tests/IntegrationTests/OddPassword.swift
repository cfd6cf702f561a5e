import Foundation
import Testing

// Whatever any program of the test run says, on standard output or in its log, is looked through for passwords: they must
// not be there, however they are written. `Child` and `WatchedCamera` have every line checked.

/// Passwords that tell apart who masks them and who almost does.
enum OddPassword {
  static let all = [
    "p@ss:w0rd %41 ü", "p@ss:w0rd", "%41%2541", "two  words'\"", "pässwörd-€", "hunter2-p@ss/&<word",
    "hunter2-p@ss&<w0rd",
  ]

  /// The password that `line` shows, and how it is written; nil when it shows none.
  static func shown(in line: String) -> String? {
    guard let index = spellings.firstIndex(where: { line.contains($0.spelling) }) else { return nil }
    return "'\(spellings[index].password)' as '\(spellings[index].spelling)'"
  }

  /// Fails the test run when `line`, which `program` said, shows one.
  static func check(_ line: String, of program: String) {
    // Nothing that anybody else wrote may steer the terminal.
    let steers = line.unicodeScalars.contains { $0 != "\t" && $0.properties.generalCategory == .control }
    if steers, program.hasPrefix("camgate") { Issue.record("\(program) shows a control character: \(line)") }
    if let shown = shown(in: line) { Issue.record("\(program) shows the password \(shown): \(line)") }
  }

  /// Longest first.
  static let spellings: [(password: String, spelling: String)] = all.flatMap { password in
    Set(spellings(of: password)).map { (password, $0) }
  }.sorted { $0.spelling.count > $1.spelling.count }

  private static func spellings(of password: String) -> [String] {
    let bytes = Array(password.utf8)
    let letters = CharacterSet(charactersIn: "a"..."z").union(CharacterSet(charactersIn: "A"..."Z"))
    let unreserved = letters.union(CharacterSet(charactersIn: "0123456789-._~"))
    let encoded = password.addingPercentEncoding(withAllowedCharacters: unreserved) ?? password
    let userinfo = unreserved.union(CharacterSet(charactersIn: "!$&'()*+,;=:"))
    var result = [
      password, encoded, lowercasingEscapes(encoded), encoded.replacing("%20", with: "+"),
      password.addingPercentEncoding(withAllowedCharacters: userinfo) ?? password,
      password.removingPercentEncoding ?? password, escaped(password),
      password.replacing("&", with: "&amp;").replacing("<", with: "&lt;"),
      password.replacing("'", with: "''"), bytes.map { String(format: "%02x", $0) }.joined(),
    ]
    // A basic login (RFC 7617) is `user:password` in Base64: what the password becomes depends on where it begins; the
    // characters at its ends it shares with its neighbours.
    for shift in 0..<3 {
      let text = Data([UInt8](repeating: 0, count: shift) + bytes).base64EncodedString()
      let inner = text.dropFirst(shift == 0 ? 0 : shift + 1).prefix { $0 != "=" }.dropLast(1)
      result.append(String(inner))
    }
    return result.filter { $0.count >= 4 }
  }

  private static func lowercasingEscapes(_ text: String) -> String {
    text.replacing(#/%[0-9A-F]{2}/#) { $0.output.lowercased() }
  }

  /// As JSON may write it.
  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "\"": "\\\""
      case _ where scalar.value > 0x7e: String(format: "\\u%04x", scalar.value)
      default: String(scalar)
      }
    }.joined()
  }
}

extension IntegrationTests.CameraSide {
  @Suite struct OddPasswordTests {
    /// The search finds what it is there to find.
    @Test func everySpellingIsFound() {
      for line in [
        "rtsp://a:p%40ss%3Aw0rd@h", "a p%40ss%3aw0rd b", "password: 'p@ss:w0rd'", "%2541%252541", "two++words%27%22",
        "p\\u00e4ssw\\u00f6rd-\\u20ac", "p%c3%a4ssw%c3%b6rd-%e2%82%ac", "Authorization: Basic dmlld2VyOnBAc3M6dzByZA==",
        "Authorization: Basic YTpwQHNzOncwcmQ=", "hunter2-p@ss/&amp;&lt;word", "704073733a77307264",
        "two  words''\"",
      ] {
        #expect(OddPassword.shown(in: line) != nil, "\(line)")
      }
      #expect(OddPassword.shown(in: "camera gate: streaming h264 640x480, login viewer:***") == nil)
    }

    /// Cameras with each of them, digest and basic, in keys and in URLs, right and wrong; the loudest log there is. What
    /// the programs say is checked where it comes in.
    @Test func camerasWithOddPasswords() throws {
      let passwords = OddPassword.all
      let servers = try passwords.indices.map { index in
        try Testbed.cameras(
          "gate=h264",
          options: ["--login", "viewer:\(passwords[index])", "--auth", index % 2 == 0 ? "digest" : "basic"])
      }
      var cameras: [Gateway.Camera] = []
      for (index, password) in passwords.enumerated() {
        let (url, other) = (try servers[index].url("gate"), passwords[(index + 1) % passwords.count])
        let inURL = try #require(password.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        cameras += [
          Gateway.Camera("key-\(index)", url, ["username": "viewer", "password": Self.quoted(password)]),
          Gateway.Camera("url-\(index)", url.replacing("//", with: "//viewer:\(inURL)@")),
          Gateway.Camera("wrong-\(index)", url, ["username": "viewer", "password": Self.quoted(other)]),
        ]
      }
      let gateway = try Gateway(
        brokers: "127.0.0.1:\(try Testbed.freePort())", cameras, more: "log: {level: debug}\nstop_timeout: 100ms")
      for camera in cameras {
        try gateway.waitForLog("camera \(camera.name): ", camera.name.hasPrefix("wrong") ? "401" : "streaming")
      }
      let file = gateway.directory.appending(path: "camgate.yaml").path
      let check = try Child(Testbed.camgate, ["check", file])
      #expect(try check.waitForExit() == .code(0), "\(check.transcript)")
      #expect(check.output.contains { $0.contains("***") })
      try gateway.stop()
      let secret = gateway.directory.appending(path: "secret")
      try Data((passwords[0] + "\n").utf8).write(to: secret)
      let probe = try Child(
        Testbed.camgate,
        ["probe", try servers[0].url("gate"), "--seconds", "1", "--username", "viewer", "--password-file", secret.path]
          + ["--verbose"])
      #expect(try probe.waitForExit() == .code(0), "\(probe.transcript)")
    }

    /// For YAML.
    private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
  }
}
