import Posix
import Testing

@Suite struct JSONTests {
  @Test(arguments: [
    ("", #""""#), ("plain", #""plain""#), (#"a"b\c"#, #""a\"b\\c""#), ("a\nb\rc\td", #""a\nb\rc\td""#),
    ("\r\n", #""\r\n""#), ("\u{0}\u{1f}", #""\u0000\u001f""#), ("\u{1b}[31m", #""\u001b[31m""#),
    ("Büro 📷", #""Büro 📷""#), ("e\u{301}", "\"e\u{301}\""),
  ])
  func escapes(_ text: String, _ expected: String) {
    #expect(JSONObject.quoted(text) == expected)
  }

  /// A line end or a quote that slips through would end the line or the string.
  @Test func noScalarBreaksTheLine() {
    for value in UInt32(0)..<0x80 {
      let inside = JSONObject.quoted(String(Unicode.Scalar(value)!)).dropFirst().dropLast()
      #expect(inside.unicodeScalars.allSatisfy { $0.value >= 0x20 })
      #expect(inside != "\"" && inside != "\\")
    }
  }

  @Test func membersInOrder() {
    var inner = JSONObject()
    inner.add("deep", true)
    var object = JSONObject()
    object.add("text", "a\"b")
    object.add("count", UInt64.max)
    object.add("least", Int64.min)
    object.add("mean", 1.5)
    object.add("large", 1e300)
    object.add("no\nnumber", Double.nan)
    object.add("endless", -Double.infinity)
    object.add("is", false)
    object.add("inner", inner)
    object.add("all", [inner, JSONObject()])
    #expect(
      object.text == #"{"text":"a\"b","count":18446744073709551615,"least":-9223372036854775808,"mean":1.5,"#
        + #""large":1e+300,"no\nnumber":null,"endless":null,"is":false,"inner":{"deep":true},"#
        + #""all":[{"deep":true},{}]}"#)
  }
}
