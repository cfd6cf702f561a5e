import Posix
import Testing

@Suite struct SecretsTests {
  @Test func aLongerSecretIsMaskedWhole() {
    let secrets = Secrets()
    secrets.register("gate")
    secrets.register("gateway-password")
    #expect(secrets.masked("gateway-password gate") == "*** ***")
  }

  @Test func maskedEncodedToo() {
    let secrets = Secrets()
    secrets.register("p@ss/w0rd")
    #expect(secrets.masked("p@ss/w0rd and p%40ss%2Fw0rd and p%40ss%2fw0rd") == "*** and *** and ***")
  }

  @Test func aTextOfTwoBytesIsNoSecret() {
    let secrets = Secrets()
    secrets.register("at")
    secrets.register("")
    #expect(secrets.masked("a cat") == "a cat")
  }

  @Test(arguments: [
    ("no login", "no login"),
    ("rtsp://camera/1", "rtsp://camera/1"),
    ("rtsp://user:pass@camera/1", "rtsp://***@camera/1"),
    ("'rtsp://user:pass@camera/1'", "'rtsp://***@camera/1'"),
    ("rtsp://user@camera", "rtsp://***@camera"),
    ("rtsp://user:p@ss@camera/1", "rtsp://***@camera/1"),
    ("rtsp://user:p/ss@camera/1", "rtsp://***@camera/1"),
    ("rtsp://user:it's@camera/1", "rtsp://***@camera/1"),
    ("rtsp://user:p%40ss@camera", "rtsp://***@camera"),
    ("a://b:c@d e://f:g@h", "a://***@d e://***@h"),
    ("a://b:c@d,e://f:g@h", "a://***@h"),
    ("see://", "see://"), ("://@", "://@"), ("://a://b@c", "://***@c"), (":/", ":/"), ("", ""),
    ("rtsp://user:Büro@camera", "rtsp://***@camera"),
    ("mail me@home", "mail me@home"),
  ])
  func logins(_ text: String, _ expected: String) {
    #expect(Secrets.maskingPatterns(in: text) == expected)
    #expect(Secrets.maskingPatterns(in: expected) == expected)
  }

  @Test(arguments: [
    ("", ""), ("plain-._~09AZ", "plain-._~09AZ"), ("p@ss", "p%40ss"), ("a b%", "a%20b%25"), ("ü", "%C3%BC"),
    ("\n\u{0}", "%0A%00"), ("100%/:?#[]", "100%25%2F%3A%3F%23%5B%5D"),
  ])
  func encoding(_ text: String, _ encoded: String) {
    #expect(PercentEncoding.encode(text) == encoded)
    #expect(PercentEncoding.decode(encoded) == text)
  }

  @Test func everyScalarComesBack() {
    for value in Array(UInt32(0)..<0x800) + [0xffff, 0x1f4f7, 0x10ffff] {
      let text = "x" + String(Unicode.Scalar(value)!) + "41"
      #expect(Array(PercentEncoding.decode(PercentEncoding.encode(text)).utf8) == Array(text.utf8))
    }
  }

  @Test(arguments: [
    ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%%41", "%A"), ("%c3%bc", "ü"), ("%4%41", "%4A"), ("a%", "a%"),
    ("%ff", "\u{fffd}"), ("%+1", "%+1"), ("%１１", "%１１"),
  ])
  func hostileEscapes(_ text: String, _ expected: String) {
    #expect(PercentEncoding.decode(text) == expected)
  }
}
