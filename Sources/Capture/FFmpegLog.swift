import CFFmpeg
import Glibc
import Posix

// FFmpeg logs through one callback for the whole process. The camera threads each carry a `FFmpegNotes`, so what FFmpeg
// says while reading a camera is known to that camera: the reason behind an error code, and lost RTP packets, which an
// unpatched FFmpeg reports only there ("RTP: missed N packets", libavformat/rtpdec.c; over TCP it says nothing).

/// What FFmpeg said on this thread.
final class FFmpegNotes {
  /// The last error since `clear`, without its line end.
  private(set) var lastError: String?
  /// The last line on this connection.
  private(set) var lastWords: String?
  /// RTP packets missed since `clear`.
  private(set) var missedPacketCount = 0
  /// Since `clear` a camera asked for the password in clear, and was not told.
  private(set) var hasRefusedBasic = false
  /// Since `clear` a camera asked for a login by Digest with SHA-256, last of what it asked for: what an FFmpeg that
  /// knows MD5 only stumbles over.
  private(set) var wantsSHA256 = false
  /// Where packets came from that were not taken, on this connection.
  private(set) var strangeSource: String?
  /// Frames since `clear` that were larger than they may be.
  private(set) var oversizeCount: UInt64 = 0
  private let log: Log

  init(log: Log) { self.log = log }

  /// Forgets all notes; call before the operation whose notes are wanted.
  func clear() {
    (lastError, missedPacketCount, oversizeCount) = (nil, 0, 0)
    (hasRefusedBasic, wantsSHA256) = (false, false)
  }

  /// Forgets what belongs to a connection, too.
  func begin() {
    clear()
    (strangeSource, lastWords) = (nil, nil)
  }

  /// Makes this object the one that hears what FFmpeg says on the calling thread. It must live until
  /// `detachFromThisThread`.
  func attachToThisThread() {
    _ = FFmpegNotes.installed
    pthread_setspecific(FFmpegNotes.key, Unmanaged.passUnretained(self).toOpaque())
  }

  /// Nobody hears what FFmpeg says on the calling thread from now on.
  func detachFromThisThread() { pthread_setspecific(FFmpegNotes.key, nil) }

  fileprivate func hear(level: Int32, line: String) {
    if level > AV_LOG_WARNING {
      // An answer of a camera, which goes nowhere.
      wantsSHA256 = FFmpegNotes.asksForSHA256(line) ?? wantsSHA256
      return
    }
    // Here the end of the line is still the place where FFmpeg may have cut it.
    let line = log.secrets.masked(line)
    // Not what it says of the deadline itself.
    if !line.hasSuffix(ffmpegText(camgate_averror_exit)) { lastWords = line }
    if level <= AV_LOG_ERROR { lastError = line }
    if let count = FFmpegNotes.missedPackets(in: line) { missedPacketCount = min(missedPacketCount + count, 65_536) }
    if let source = FFmpegNotes.strangeSource(in: line) {
      strangeSource = source
      log.warning("packets come from \(source), not from the camera: they are not taken")
    }
    // The last word on it (Toolchain/cross/patches/ffmpeg-rtsp-basic.patch).
    if line == "RTSP: Basic authentication without TLS refused" { hasRefusedBasic = true }
    if FFmpegNotes.isOversize(line) { oversizeCount += 1 }
    log.debug("ffmpeg: \(line)")
  }

  /// The count in "RTP: missed 3 packets", which is one of 16-bit sequence numbers; 1 for "RTP: PT=60: bad cseq 0bb9
  /// expected=0001", a packet dropped behind a large jump; nil for any other line. Servers choose the words of some
  /// lines, so the number may be any.
  static func missedPackets(in line: String) -> Int? {
    let words = line.split(separator: " ")
    if let index = words.firstIndex(of: "bad"), index > 1, words[index - 2] == "RTP:",
      words.dropFirst(index + 1).first == "cseq"
    {
      return 1
    }
    guard let index = words.firstIndex(of: "missed"), index > 0, words[index - 1] == "RTP:", index + 1 < words.count
    else { return nil }
    return UInt16(words[index + 1]).map { Int($0) }
  }

  /// Whether the last Digest challenge in the header lines of an answer (RFC 7616) is one with SHA-256; nil without any.
  static func asksForSHA256(_ answer: String) -> Bool? {
    let challenge = answer.split(separator: "\n").last { line in
      line.lowercased().hasPrefix("www-authenticate: digest ")
    }
    return challenge.map { $0.lowercased().contains("sha-256") }
  }

  /// The address in "RTP: dropping packets from ADDRESS" (Toolchain/cross/patches/ffmpeg-rtsp-source.patch).
  static func strangeSource(in line: String) -> String? {
    let beginning = "RTP: dropping packets from "
    let address = line.dropFirst(beginning.count)
    guard line.hasPrefix(beginning), !address.isEmpty, address.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      return nil
    }
    return String(address)
  }

  /// Whether the line says that a frame was dropped for its size (Toolchain/cross/patches/ffmpeg-rtsp-limits.patch).
  static func isOversize(_ line: String) -> Bool {
    line.hasPrefix("RTP: frame of more than ") && line.hasSuffix(" bytes dropped")
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()

  private static let installed: Void = {
    av_log_set_level(AV_LOG_WARNING)
    camgate_set_log_handler { level, line in
      guard let line, let notes = pthread_getspecific(FFmpegNotes.key) else { return }
      Unmanaged<FFmpegNotes>.fromOpaque(notes).takeUnretainedValue().hear(level: level, line: String(cString: line))
    }
  }()
}
