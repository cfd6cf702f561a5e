import CFFmpeg
import Frames
import Glibc
import Posix
import Synchronization
import Testing

@testable import Capture

@Suite struct FFmpegNotesTests {
  @Test(arguments: [
    ("RTP: missed 3 packets", 3), ("[rtsp @ 0x55] RTP: missed 65535 packets", 65_535), ("RTP: missed 0 packets", 0),
    ("RTP: missed -3 packets", nil), ("RTP: missed 9223372036854775807 packets", nil), ("RTP: missed packets", nil),
    ("RTP: missed", nil), ("missed 3 packets", nil), ("[rtsp @ 0x5] RTP: PT=60: bad cseq 0bb9 expected=0001", 1),
    ("bad cseq", nil),
    ("RTP: PT=60: bad", nil), ("max delay reached. need to consume packet", nil), ("", nil),
  ])
  func countsMissedPackets(_ line: String, _ count: Int?) {
    #expect(FFmpegNotes.missedPackets(in: line) == count)
  }

  @Test(arguments: [
    ("RTP: dropping packets from 10.0.0.9", "10.0.0.9"),
    ("RTP: dropping packets from fe80::1%eth0", "fe80::1%eth0"), ("RTP: dropping packets from ", nil),
    ("method PLAY failed: 400 RTP: dropping packets from 10.0.0.9", nil), ("RTP: dropping packets from a b", nil),
    ("RTP: dropping old packet received too late", nil), ("", nil),
  ])
  func namesStrangers(_ line: String, _ address: String?) {
    #expect(FFmpegNotes.strangeSource(in: line) == address)
  }

  /// The last challenge counts: an FFmpeg that knows MD5 only takes that one.
  @Test(arguments: [
    ("CSeq: 1\nWWW-Authenticate: Digest realm=\"a\", algorithm=SHA-256, nonce=\"1\"\n", true),
    ("www-authenticate: digest realm=\"a\", algorithm=\"sha-256-sess\"", true),
    ("WWW-Authenticate: Digest algorithm=MD5\nWWW-Authenticate: Digest algorithm=SHA-256\n", true),
    ("WWW-Authenticate: Digest algorithm=SHA-256\nWWW-Authenticate: Digest realm=\"a\"\n", false),
    ("WWW-Authenticate: Basic realm=\"SHA-256\"\n", nil), ("", nil),
  ])
  func knowsDigestsThatCannotBeMet(_ answer: String, _ asks: Bool?) {
    #expect(FFmpegNotes.asksForSHA256(answer) == asks)
  }

  @Test func knowsFramesThatWereTooLarge() {
    #expect(FFmpegNotes.isOversize("RTP: frame of more than 16777216 bytes dropped"))
    #expect(!FFmpegNotes.isOversize("method PLAY failed: 400 frame of more than 1 bytes dropped"))
  }

  /// Lets FFmpeg log `lines` on a thread of its own that `body` prepares, then gives what `result` reads.
  private func onAThread<Result: Sendable>(
    _ log: Log, _ body: @escaping @Sendable (FFmpegNotes) -> Result
  ) -> Result {
    let result = Monitor<Result?>(nil)
    Thread.start(name: "notes") {
      let notes = FFmpegNotes(log: log)
      notes.attachToThisThread()
      let value = body(notes)
      notes.detachFromThisThread()
      result.withLock { $0 = value }
    }.join()
    return result.read { $0 }!
  }

  @Test func hearsItsThreadOnly() {
    let lines = Mutex<[String]>([])
    let log = Log(level: .debug) { line in lines.withLock { $0.append(line) } }
    let (error, missed, cleared) = onAThread(log) { notes in
      say(AV_LOG_WARNING, "RTP: missed 5 packets\n")
      say(AV_LOG_WARNING, "RTP: missed 7 packets\n")
      say(AV_LOG_ERROR, "broken at rtsp://user:hunter2@camera/1\r\n")
      say(AV_LOG_WARNING, "only a warning\n")
      say(AV_LOG_INFO, "chatter\n")
      Thread.start(name: "other") { say(AV_LOG_ERROR, "elsewhere\n") }.join()
      let heard = (notes.lastError, notes.missedPacketCount)
      notes.clear()
      return (heard.0, heard.1, notes.lastError == nil && notes.missedPacketCount == 0)
    }
    #expect(error == "broken at rtsp://***@camera/1")
    #expect(missed == 12)
    #expect(cleared)
    let text = lines.withLock { $0.joined(separator: "\n") }
    #expect(text.contains("ffmpeg: only a warning"))
    #expect(!text.contains("chatter") && !text.contains("elsewhere") && !text.contains("hunter2"))
  }

  /// What FFmpeg says of a call that was made to return is no reason for the silence before.
  @Test func theDeadlineIsNotAmongTheLastWords() {
    let words = onAThread(Log { _ in }) { notes in
      say(AV_LOG_WARNING, "Undefined type (30)\n")
      say(AV_LOG_ERROR, "Failed reading RTSP data: \(ffmpegText(camgate_averror_exit))\n")
      return notes.lastWords
    }
    #expect(words == "Undefined type (30)")
  }

  @Test func aServerCannotOverflowTheCount() {
    let missed = onAThread(Log { _ in }) { notes in
      for _ in 0..<3 { say(AV_LOG_ERROR, "method PLAY failed: 500 RTP: missed 9223372036854775807 packets\n") }
      for _ in 0..<3 { say(AV_LOG_WARNING, "RTP: missed 65535 packets\n") }
      return notes.missedPacketCount
    }
    #expect(missed == 65_536)
  }

  @Test func afterDetachingNobodyHears() {
    let error = onAThread(Log { _ in }) { notes in
      notes.detachFromThisThread()
      say(AV_LOG_ERROR, "unheard\n")
      return notes.lastError
    }
    #expect(error == nil)
  }

  @Test func longAndHalfLines() {
    let error = onAThread(Log { _ in }) { notes in
      say(AV_LOG_ERROR, String(repeating: "ü", count: 5_000) + "\n")
      return notes.lastError
    }
    #expect((error?.utf8.count ?? 0) > 1_000 && (error?.utf8.count ?? 0) < 1_100)
  }

  @Test func errorsOfFFmpegInWords() {
    let table: [(Int32, CaptureError.Code)] = [
      (camgate_averror_unauthorized, .unauthorized), (camgate_averror_forbidden, .unauthorized),
      (camgate_averror_not_found, .notFound), (camgate_averror_server_error, .unusable),
      (camgate_averror_invalid_data, .unusable), (camgate_averror_eof, .ended),
      (camgate_averror(ECONNREFUSED), .unreachable), (camgate_averror(ENOENT), .unreachable),
      (camgate_averror(ECONNRESET), .disconnected), (camgate_averror(EPIPE), .disconnected),
      (camgate_averror(ETIMEDOUT), .silent), (camgate_averror_exit, .silent), (camgate_averror(EIO), .unreachable),
    ]
    for (value, code) in table {
      let error = CaptureError(ffmpeg: value, while: "reading", detail: nil)
      #expect(error.code == code, "\(error.message)")
      #expect(!error.message.isEmpty)
    }
    #expect(CaptureError(ffmpeg: camgate_averror(EIO), while: "reading", detail: "why").message.contains("why"))
    #expect(ffmpegText(camgate_averror(ENOENT)) == "No such file or directory")
  }
}

/// FFmpeg's own log call (av_vlog).
private func say(_ level: Int32, _ line: String) {
  line.withCString { line in withVaList([line]) { av_vlog(nil, level, "%s", $0) } }
}
