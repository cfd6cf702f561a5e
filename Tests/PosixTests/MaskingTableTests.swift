import Posix
import Testing

/// What is shown of a text that holds a secret, exactly. The secrets are `p@ss:w/rd`, `hunter2-"\ü`
/// and `x&a]z`.
@Suite struct MaskingTableTests {
  private static let long = String(repeating: "x", count: 250)

  static let rows: [(text: String, shown: String)] = [
    // In URLs, with and without what follows the login.
    ("rtsp://viewer:p@ss:w/rd@gate/1", "rtsp://***@gate/1"),
    ("rtsp://viewer:p@ss:w/rd", "rtsp://***"),
    ("login viewer:p@ss:w/rd refused", "login *** refused"),
    ("no viewer:p@ss:w/rd@gate", "no ***@gate"),
    // Percent-encoded: all of it or some, in both cases, twice.
    ("a p%40ss%3Aw%2Frd b", "a *** b"),
    ("a p%40ss%3aw%2frd b", "a *** b"),
    ("a p%40ss:w/rd b", "a *** b"),
    ("a p%2540ss%253Aw%252Frd b", "a *** b"),
    ("a hunter2-%22%5C%C3%BC b", "a *** b"),
    // Base64: alone, at any place of a longer text, in both alphabets, with and without padding.
    ("a cEBzczp3L3Jk b", "a *** b"),
    ("a aHVudGVyMi0iXMO8 b", "a *** b"),
    ("a dmlld2VyOnBAc3M6dy9yZA== b", "a dmlld2VyO*** b"),
    // JSON, XML and YAML.
    (#"a hunter2-\"\\ü b"#, "a *** b"),
    (#"a hunter2-\"\\\u00fc b"#, "a *** b"),
    (#"a hunter2-\u0022\u005C\u00FC b"#, "a *** b"),
    (#"a p@ss:w\/rd b"#, "a *** b"),
    (#"a hunter2-&quot;\&#252; b"#, "a *** b"),
    // Control characters inside it.
    ("a p@ss\r:w/rd b", "a *** b"),
    ("a p@s\u{1b}s:w/rd b", "a *** b"),
    ("a p@\u{9b}ss:w/rd b", "a *** b"),
    ("a p@s\ns:w/rd b", "a *** b"),
    // Cut off, by us or by a library.
    ("the camera says p@ss:w…", "the camera says ***…"),
    ("the camera says p%40ss%3…", "the camera says ***…"),
    ("the camera says cEBzczp3L…", "the camera says ***…"),
    (long + " p@ss", long + " ***"),
    (long + " p@ss (after 3 ms)", long + " *** (after 3 ms)"),
    ("the door p@ss", "the door p@ss"),
    // Behind an escape whose first letters are the secret's next ones.
    ("the camera says x&amp;…", "the camera says ***…"),
    // What nobody has registered.
    ("rtsp://gate/1?user=a&password=b&c\"d<e f", "rtsp://gate/1?user=a&password=*** f"),
    ("rtsp://gate/user=a_password=b_channel=1", "rtsp://gate/user=a_password=***"),
    ("/live?auth=YWRtaW4=&x=1", "/live?auth=***"),
    ("rtsp://viewer:geheim", "rtsp://***"),
    ("rtsp://viewer:ge heim@gate/1", "rtsp://***@gate/1"),
    ("Authorization: Basic dTpw more\nnext", "Authorization: ***\nnext"),
    ("(Authorization: ***); retry in 4 s", "(Authorization: ***); retry in 4 s"),
    (#"{"authorization":"Bearer abc"}"#, #"{"authorization":"***"#),
    // And what is no secret.
    ("http://[fe80::1]:80/x and rtsp://10.0.0.1:554/1", "http://[fe80::1]:80/x and rtsp://10.0.0.1:554/1"),
    ("password_file=gate.password", "password_file=gate.password"),
    // What steers a terminal.
    (
      "a\u{1b}]0;title\u{7}b\u{9b}2J\u{7f}\u{202e}c\r\nd\te",
      "a\u{fffd}]0;title\u{fffd}b\u{fffd}2J\u{fffd}\u{fffd}c\nd e"
    ),
  ]

  @Test(arguments: rows)
  func isShownAs(_ text: String, _ shown: String) {
    let secrets = Secrets()
    secrets.register("p@ss:w/rd")
    secrets.register("hunter2-\"\\ü")
    secrets.register("x&a]z")
    #expect(secrets.masked(text) == shown)
  }

  /// DEL and C1 control characters steer terminals as ESC does, and so do the marks that turn the direction of writing.
  @Test(arguments: [
    ("\u{7f}\u{80}\u{9b}\u{9f}\u{a0}", "\"\\u007f\\u0080\\u009b\\u009f\u{a0}\""),
    ("a\u{202e}b\u{2028}c", #""a\u202eb\u2028c""#), ("\u{e0001}", #""\udb40\udc01""#),
  ])
  func jsonEscapes(_ text: String, _ quoted: String) {
    #expect(JSONObject.quoted(text) == quoted)
  }
}
