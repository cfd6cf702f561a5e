import Frames
import Testing

@Suite struct CameraNameTests {
  @Test(arguments: ["a", "gate", "gate-2", "0", "-", String(repeating: "x", count: 63)])
  func legal(_ text: String) {
    #expect(CameraName(text)?.description == text)
  }

  @Test(arguments: [
    "", "Gate", "gate 2", "gate/2", "gate.2", "gate_2", "tür", "gate\n", "gate\u{0}", "g\u{430}te", "📷",
    "../x", "*", String(repeating: "x", count: 64), "e\u{301}",
  ])
  func illegal(_ text: String) {
    #expect(CameraName(text) == nil)
  }

  @Test func orderedByText() throws {
    let names = try ["b", "a-1", "a", "0"].map { try #require(CameraName($0)) }
    #expect(names.sorted().map(\.text) == ["0", "a", "a-1", "b"])
  }
}

@Suite struct CodecTests {
  @Test func contentTypesComeBack() {
    for codec in Codec.allCases { #expect(Codec(contentType: codec.contentType) == codec) }
    #expect(Set(Codec.allCases.map(\.contentType)) == ["video/h264", "video/h265", "image/jpeg"])
    for other in ["", "video/H264", "application/json", "image/jpeg "] { #expect(Codec(contentType: other) == nil) }
  }
}

@Suite struct LoginTests {
  @Test func aPrintedLoginHasNoPassword() {
    let login = CameraDescription.Login(username: "viewer", password: "hunter2")
    #expect("\(login)" == "viewer:***")
    let source = CameraDescription.Source.rtsp(url: "rtsp://camera/1", login: login, transport: .tcp)
    #expect(!"\(source)".contains("hunter2"))
    #expect(!String(reflecting: source).contains("hunter2"), "also in a debugger's or an assertion's words")
  }
}
