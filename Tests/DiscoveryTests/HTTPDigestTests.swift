import Testing

@testable import Discovery

@Suite struct HTTPDigestTests {
  private static let login = ONVIFLogin(username: "Mufasa", password: "Circle of Life")
  private static let clientNonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
  private static let parameters =
    "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
    + "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

  private func response(_ challenges: [String], _ login: ONVIFLogin = login, clientNonce: String = clientNonce)
    -> String?
  {
    var digest = HTTPDigest(challenges)
    let header = digest?.authorization(login, method: "GET", path: "/dir/index.html", clientNonce: clientNonce)
    return header.flatMap { HTTPChallenge.parse($0).first?["response"] }
  }

  /// RFC 7616, 3.9.1; the better of two offers in either order, in one header or two.
  @Test func theResponsesAreTheStandards() {
    let (md5, sha) = ("Digest algorithm=MD5, \(Self.parameters)", "Digest \(Self.parameters), algorithm=SHA-256")
    #expect(response([md5]) == "8ca523f5e9506fed4657c9700eebdbec")
    for offer in [[sha], [sha, md5], [md5, sha], ["Basic realm=\"x\", \(md5), \(sha)"]] {
      #expect(response(offer) == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")
    }
  }

  /// RFC 2617, 3.5, and the same for a server of RFC 2069, which counts nothing.
  @Test func olderServers() {
    let login = ONVIFLogin(username: "Mufasa", password: "Circle Of Life")
    let offer = "DIGEST realm=\"testrealm@host.com\",nonce=dcd98b7102dd2f0e8b11d0f600bfb0c093"
    #expect(response([offer], login) == "670fd8c2df070c60b045671b8b24ff02")
    #expect(response([offer + ",qop=auth"], login, clientNonce: "0a4f113b") == "6629fae49393a05397450978507c4ef1")
  }

  @Test func requestsAreCounted() throws {
    var digest = try #require(HTTPDigest(["Digest \(Self.parameters)"]))
    let headers = (0..<3).map { _ in digest.authorization(Self.login, method: "POST", path: "/", clientNonce: "c") }
    #expect(headers.map { HTTPChallenge.parse($0)[0]["nc"] } == ["00000001", "00000002", "00000003"])
    #expect(Set(headers.map { HTTPChallenge.parse($0)[0]["response"] }).count == 3)
    #expect(headers.allSatisfy { !$0.contains("Circle") && !$0.contains("algorithm") })
  }

  @Test func whatIsQuotedIsQuotedAgain() throws {
    let offer = "Digest realm=\"a \\\"b\\\" \\\\c, d\u{1}\", nonce=\"n\", stale=TRUE"
    var digest = try #require(HTTPDigest([offer]))
    #expect(digest.realm == "a \"b\" \\c, d\u{1}" && digest.isStale)
    let login = ONVIFLogin(username: "x\"\r\ny", password: "p")
    let header = digest.authorization(login, method: "POST", path: "/", clientNonce: "c")
    #expect(header.hasPrefix("Digest username=\"x\\\"y\", realm=\"a \\\"b\\\" \\\\c, d\", nonce=\"n\""), "\(header)")
  }

  @Test(arguments: [
    "", "Basic realm=\"x\"", "Digest realm=\"x\"", "Digest nonce=\"x\"",
    "Digest realm=x, nonce=y, algorithm=SHA-512-256",
    "Digest realm=x, nonce=y, qop=auth-int", "Digest realm=x, nonce=y, algorithm=MD5-sess", "realm=x, nonce=y",
    "Digest realm=\"x, nonce=y", ",,,=,=", "Digest realm=x, nonce=\"" + String(repeating: "n", count: 1_025) + "\"",
  ])
  func whatCannotBeAnswered(_ challenge: String) { #expect(HTTPDigest([challenge]) == nil) }
}
