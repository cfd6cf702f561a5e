import Testing

@testable import Capture

@Suite struct DialogueTests {
  private static let head = "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 3\r\n\r\n"
  private static let packet: [UInt8] = [0x24, 0, 0, 2, 0x0d, 0x0a]
  private static let rest = "what?\n\nGET_PARAMETER rtsp://h/ RTSP/1.0\n\n"
  private static let bytes: [UInt8] = Array("\(head)abc".utf8) + packet + Array(rest.utf8)
  private static let pieces: [DialoguePieces.Piece] = [
    .message(head: Array(head.utf8), body: Array("abc".utf8)), .packet(packet),
    .other(Array("what?\n\n".utf8)), .message(head: Array("GET_PARAMETER rtsp://h/ RTSP/1.0\n\n".utf8), body: []),
  ]

  /// However the network cuts them.
  @Test func bytesAreCutWhereMessagesEnd() {
    for size in 1...Self.bytes.count {
      var (cutter, found) = (DialoguePieces(), [] as [DialoguePieces.Piece])
      for start in stride(from: 0, to: Self.bytes.count, by: size) {
        found += cutter.add(Self.bytes[start..<min(start + size, Self.bytes.count)])
      }
      #expect(found == Self.pieces, "pieces of \(size)")
      #expect(cutter.finish() == nil)
    }
  }

  @Test func nothingGrows() {
    var cutter = DialoguePieces()
    let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
    let counts = (0..<20).map { _ in cutter.add(chunk[...]).count }
    #expect(counts.contains(1) && (cutter.finish()?.count ?? 0) <= DialoguePieces.byteLimit)
  }

  @Test(
    arguments: [
      (
        "DESCRIBE rtsp://10.0.0.21:8554/live/ch1?user=a&p=x/track1 RTSP/1.0",
        "DESCRIBE rtsp://{host}:{port}/{name}/track1 RTSP/1.0"
      ),
      ("Content-Base: rtsp://10.0.0.21/live/ch1/", "Content-Base: rtsp://{host}:{port}/{name}/"),
      ("Location: rtsp://u:p@10.9.8.7:99/x", "Location: rtsp://elsewhere.invalid/x"),
      ("Authorization: Digest username=\"keeper\", response=\"12\"", "Authorization: ***"),
      (
        "WWW-Authenticate: Digest realm=\"Cam 00:11:22:33:44:55\", nonce=\"ab\", qop=\"auth\"",
        "WWW-Authenticate: Digest realm=\"camera\", nonce=\"0\", qop=\"auth\""
      ),
      (
        "Transport: RTP/AVP/TCP;unicast;source=10.0.0.21;destination=192.168.7.1;interleaved=0-1",
        "Transport: RTP/AVP/TCP;unicast;source={host};destination=0.0.0.0;interleaved=0-1"
      ),
      (
        "RTP-Info: url=rtsp://10.0.0.21:8554/live/ch1/track1;seq=1;rtptime=2",
        "RTP-Info: url=rtsp://{host}:{port}/{name}/track1;seq=1;rtptime=2"
      ),
      ("o=keeper 7 7 IN IP4 10.0.0.21", "o=- 1 1 IN IP4 0.0.0.0"), ("s=Gate of keeper", "s=camera"),
      ("c=IN IP4 239.1.2.3/64", "c=IN IP4 0.0.0.0/64"), ("c=IN IP6 fe80::1", "c=IN IP6 ::"),
      ("a=rtpmap:96 H264/90000", "a=rtpmap:96 H264/90000"),
      (
        "a=fmtp:96 profile-level-id=4d0029;sprop-parameter-sets=Z0IAHpWoKA9k,aM48gA==",
        "a=fmtp:96 profile-level-id=4d0029;sprop-parameter-sets=Z0IAHpWoKA9k,aM48gA=="
      ),
      ("X-Said: hunter2-p%40ss of keeper at 00:11:22:33:44:55", "X-Said: *** of *** at ::"),
      ("Range: npt=0.000-", "Range: npt=0.000-"),
      ("Date: Tue, 01 Jan 2030 12:30:15 GMT", "Date: Tue, 01 Jan 2030 12:30:15 GMT"),
    ] as [(String, String)])
  func whatBelongsToOneInstallationIsNotThere(_ line: String, _ expected: String) {
    let redaction = DialogueRedaction(
      url: "rtsp://10.0.0.21:8554/live/ch1?user=a&p=x", address: "10.0.0.21", login: ("keeper", "hunter2-p@ss"))
    #expect(String(decoding: redaction.text(of: Array((line + "\r\n").utf8)), as: UTF8.self) == expected + "\r\n")
  }

  /// Names and reasons in RTCP: a canonical name is user@address (RFC 3550, 6.5.1).
  @Test func reportsLoseTheirTexts() {
    let report: [UInt8] = [0x80, 200, 0, 1, 1, 2, 3, 4]
    let names: [UInt8] = [0x81, 202, 0, 3, 1, 2, 3, 4, 1, 4, 0x61, 0x40, 0x62, 0x63, 0, 0]
    let start: [UInt8] = [0x24, 1, 0, 24]
    let whole: [UInt8] = start + report + names
    let blank: [UInt8] = Array(names.prefix(8)) + [UInt8](repeating: 0, count: 8)
    let expected: [UInt8] = start + report + blank
    #expect(DialogueRedaction.packet(whole) == expected)
    let picture: [UInt8] = [0x24, 0, 0, 12, 0x80, 96, 0, 3, 9, 9, 9, 9, 1, 2, 3, 4]
    #expect(DialogueRedaction.packet(picture) == picture)
  }
}
