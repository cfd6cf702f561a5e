import Testing

@testable import Discovery

@Suite struct XMLElementTests {
  private func parse(_ text: String) -> XMLElement? { XMLElement.parse(Array(text.utf8)) }

  @Test func namesAreLocalAndTextIsWhole() throws {
    let root = try #require(
      parse(
        """
        <?xml version="1.0"?><a:Root xmlns:a="urn:x" xmlns="urn:y"><List a:id="1" name="n&quot;">
          <Item> one &amp; two<b/> three </Item><a:Item><![CDATA[<four>]]></a:Item></List></a:Root>
        """))
    #expect(root.name == "Root")
    #expect(root.all("Item").map { trimmed($0.text) } == ["one & two three", "<four>"])
    #expect(root.first("List")?.attributes == ["id": "1", "name": "n\""])
    #expect(root.text("List", "Item") == "one & two three")
    #expect(root.text("Root") == nil && root.text("List", "nothing") == nil)
  }

  @Test(arguments: [
    "", " ", "text", "<a>", "<a></b>", "<a/><b/>", "\u{0}", "<a b=1/>", "<a>&unknown;</a>", "<x:a/>",
    "<!DOCTYPE a><a/>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
    String(repeating: "<a>", count: 33) + String(repeating: "</a>", count: 33),
    "<a>" + String(repeating: "<b/>", count: 5_000) + "</a>",
    "<a>" + String(repeating: " ", count: 256 << 10) + "</a>",
  ])
  func whatIsBrokenOrTooMuchIsNothing(_ text: String) { #expect(parse(text) == nil) }

  @Test func upToTheLimitsItIsRead() {
    #expect(parse(String(repeating: "<a>", count: 32) + String(repeating: "</a>", count: 32)) != nil)
    #expect(parse("<a>" + String(repeating: "<b/>", count: 4_999) + "</a>")?.children.count == 4_999)
  }

  @Test func printableIsOneTameLine() {
    #expect(printable(" a\u{1b}[31m\r\nb\u{202e}c\u{0}d ü ") == "a\u{fffd}[31m\u{fffd}\u{fffd}b\u{fffd}c\u{fffd}d ü")
    #expect(printable(String(repeating: "x", count: 200)) == String(repeating: "x", count: 200))
    #expect(printable(String(repeating: "x", count: 500)) == String(repeating: "x", count: 199) + "…")
  }

  /// Random damage to an answer gives nothing or something, and no crash.
  @Test func survivesMutations() {
    var random = SystemRandomNumberGenerator()
    let original = Array(WSDiscoveryTests.answer().utf8)
    for _ in 0..<2_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let index = Int.random(in: bytes.indices, using: &random)
        switch Int.random(in: 0...2, using: &random) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: index)
        default: bytes.insert("<>&;\"'/: ".utf8.randomElement(using: &random) ?? 32, at: index)
        }
      }
      for device in WSDiscovery.devices(in: bytes, from: "10.0.0.1") { _ = (device.text, device.json.text) }
    }
  }
}
