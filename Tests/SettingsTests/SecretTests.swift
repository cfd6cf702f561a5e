import Foundation
import Frames
import Testing

@testable import Settings

/// A password is what stands in the file, character for character, or an error (Tests/Fixtures/settings/secret-*).
@Suite struct SecretTests {
  private func read(_ password: String, environment: [String: String] = [:]) -> SettingsFile {
    let text = """
      kafka: {brokers: [k]}
      cameras:
        - name: gate
          url: rtsp://h/1
          username: viewer
          password: \(password)
      """
    return SettingsFile(name: "s.yaml", bytes: Array(text.utf8), directory: "", environment: environment)
  }

  private func password(in file: SettingsFile) -> String? {
    guard case .rtsp(_, let login, _, _)? = file.configuration?.cameras[0].description.source else { return nil }
    return login?.password
  }

  @Test(arguments: [
    ("'#pass#'", "#pass#"), ("\"!x\"", "!x"), ("'&x'", "&x"), ("'abc #def'", "abc #def"), ("abc#def", "abc#def"),
    ("a&b!c*d", "a&b!c*d"), ("''", ""), ("'it''s'", "it's"), ("a$$b", "a$b"), ("${PW}", "h #x"),
    ("${PW} # of gate", "h #x"),
    ("|-\n      geheim", "geheim"),
  ])
  func isTakenAsItStands(_ written: String, _ meant: String) {
    let file = read(written, environment: ["PW": "h #x"])
    #expect(file.report == "")
    #expect(password(in: file) == meant)
  }

  @Test(arguments: ["|", ">"])
  func theLineEndOfABlockIsLeftOut(_ style: String) {
    let file = read(style + "\n      geheim\n")
    #expect(password(in: file) == "geheim")
    #expect(
      file.report == """
        s.yaml:6:15: warning: cameras[0].password: '|' and '>' add a line end to the value; it is left out. Better: password: '…'
            6 |     password: ***
              |               ^~~
        """)
  }

  /// A certificate is lines.
  @Test func aKeyInAPropertyKeepsItsLines() throws {
    let text = """
      kafka:
        brokers: [k]
        properties:
          ssl.key.pem: |
            one
            two
      cameras: [{name: a, url: 'test:'}]
      """
    let file = SettingsFile(name: "s.yaml", bytes: Array(text.utf8), directory: "", environment: [:])
    #expect(file.report == "")
    #expect(file.configuration?.kafka.properties.map(\.value) == ["one\ntwo\n"])
  }
}
