import Posix
import Testing

@testable import Discovery

@Suite struct ONVIFClientTests {
  /// The example of the ONVIF Application Programmer's Guide, 6.1.1.3.
  @Test func theDigestIsTheStandards() {
    let nonce = "LKqI6G/AikKCQrN0zqZFlg=="
    let bytes: [UInt8] = [
      0x2c, 0xaa, 0x88, 0xe8, 0x6f, 0xc0, 0x8a, 0x42, 0x82, 0x42, 0xb3, 0x74, 0xce, 0xa6, 0x45, 0x96,
    ]
    #expect(Base64.padded(bytes) == nonce)
    #expect(
      ONVIFLogin.digest(nonce: bytes, created: "2010-09-16T07:50:45Z", password: "userpassword")
        == "tuOSpGlFlIXsozq4HFNeeGeFLEI=")
    #expect(Base64.padded([]) == "" && Base64.padded([0]) == "AA==")
    // FIPS 180, the digest of "abc".
    #expect(
      hexadecimal(sha(Array("abc".utf8), bits: 160))
        == "a9993e364706816aba3e25717850c26c9cd0d89d")
  }

  /// An answer may come from anywhere; a login goes to the networks of this machine alone.
  @Test func onlyNeighboursAreAsked() {
    let login = ONVIFLogin(username: "viewer", password: "hunter2")
    let far = ONVIFClient.describe(DiscoveredDevice(address: "203.0.113.5"), login: login)
    #expect(far.problem?.contains("on none of this machine's networks") == true, "\(far)")
    let near = ONVIFClient.describe(DiscoveredDevice(address: "127.0.0.1"), login: login)
    #expect(near.problem?.contains("cannot connect") == true, "\(near)")
  }

  @Test func namesAreEscapedAndPasswordsAreNotThere() throws {
    let header = ONVIFLogin(username: "a<b>&\"", password: "hunter2").header(nonce: [1], time: 0)
    let document = try #require(
      XMLElement.parse(Array("<e:Envelope xmlns:e=\"urn:e\">\(header)</e:Envelope>".utf8)))
    #expect(document.text("Username") == "a<b>&\"")
    #expect(document.text("Created") == "1970-01-01T00:00:00.000Z")
    #expect(!header.contains("hunter2"))
  }

  @Test(arguments: [
    ("rtsp://10.0.0.1/a?b=c&d=e", "rtsp://10.0.0.1/a?b=c&d=e"),
    (" rtsp://u:p@10.0.0.1:554/@x \n", "rtsp://10.0.0.1:554/@x"),
    ("RTSP://h", "rtsp://h"), ("rtsps://u@h/1", "rtsps://h/1"), ("rtsp://a@b@h/1", "rtsp://h/1"),
  ])
  func streamsHaveNoLogin(_ url: String, _ expected: String) { #expect(ONVIFClient.streamURL(url) == expected) }

  @Test(arguments: [
    "", "rtsp://", "rtsp://u:p@", "http://h/", "file:///etc/passwd", "rtsp://h/a b", "rtsp://h/\u{1b}[31m",
    "rtsp://h/\u{202e}x",
    "rtsp://h/" + String(repeating: "x", count: 2_000),
  ])
  func noStreams(_ url: String) { #expect(ONVIFClient.streamURL(url) == nil) }

  @Test(arguments: [
    ((1970, 1, 1, 0, 0, 0), 0), ((2000, 2, 29, 12, 30, 15), 951_827_415), ((2024, 12, 31, 23, 59, 60), 1_735_689_600),
    ((2026, 11, 24, 11, 0, 0), 1_795_518_000), ((2026, 13, 1, 0, 0, 0), nil), ((2026, 0, 1, 0, 0, 0), nil),
    ((99_999_999_999, 1, 1, 0, 0, 0), nil), ((2026, 1, 1, 24, 0, 0), nil),
  ])
  func times(_ time: (Int, Int, Int, Int, Int, Int), _ expected: Int64?) throws {
    let text =
      "<UTCDateTime><Time><Hour>\(time.3)</Hour><Minute>\(time.4)</Minute><Second>\(time.5)</Second></Time>"
      + "<Date><Year>\(time.0)</Year><Month>\(time.1)</Month><Day>\(time.2)</Day></Date></UTCDateTime>"
    let element = try #require(XMLElement.parse(Array(text.utf8)))
    #expect(ONVIFClient.time(of: element) == expected.map { $0 * 1_000_000_000 })
  }
}
