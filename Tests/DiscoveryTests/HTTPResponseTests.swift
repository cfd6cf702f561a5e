import Testing

@testable import Discovery

@Suite struct HTTPResponseTests {
  private func parse(_ text: String, isAtEnd: Bool = false) -> HTTPResponse.Parsed {
    HTTPResponse.parse(Array(text.utf8), isAtEnd: isAtEnd)
  }

  private func complete(_ status: Int, _ body: String) -> HTTPResponse.Parsed {
    .complete(HTTPResponse(status: status, body: Array(body.utf8)))
  }

  private static let chunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\nB;x=y\r\n\r\npedia in \r\n0\r\n\r\n"

  @Test func wholeAnswers() {
    #expect(parse("HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabcdef") == complete(200, "abc"))
    #expect(parse("HTTP/1.0 401 Unauthorized\n\nno", isAtEnd: true) == complete(401, "no"))
    #expect(parse("HTTP/1.1 400 \r\nContent-Length: 0\r\n\r\n") == complete(400, ""))
    #expect(parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") == complete(200, "x"))
    #expect(parse(Self.chunked) == complete(200, "Wiki\r\npedia in "))
  }

  /// Cut anywhere, an answer is not there yet; and it does not come any more when the connection ends.
  @Test func partsOfAnswers() {
    for text in ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", Self.chunked] {
      let bytes = Array(text.utf8)
      let needed = text == Self.chunked ? bytes.count - 2 : bytes.count
      for count in 0..<needed {
        if case .complete = HTTPResponse.parse(Array(bytes[..<count]), isAtEnd: false) { Issue.record("\(count)") }
        #expect(HTTPResponse.parse(Array(bytes[..<count]), isAtEnd: true) == .invalid)
      }
    }
  }

  @Test(arguments: [
    "SSH-2.0-dropbear\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 999\r\n\r\n",
    "RTSP/1.0 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-4\r\nabcd\r\n0\r\n\r\n",
    String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 1_000),
    "HTTP/1.1 200 OK\r\n" + String(repeating: "x", count: 256 << 10),
  ])
  func noAnswers(_ text: String) { #expect(parse(text) == .invalid) }
}
