import CFFmpeg
import Frames
import Posix

// Why a camera cannot be read right now, in words for the person who can mend it. Supervisors branch on `code`.

/// A failure of one connection to one camera. None of them ends the camera: all but the order to stop are retried.
package struct CaptureError: Error, Sendable, Equatable {
  /// What went wrong.
  package enum Code: Sendable, Equatable {
    /// The host name did not resolve, nothing listens, the route is gone.
    case unreachable
    /// The connection broke.
    case disconnected
    /// No answer or no frame in time.
    case silent
    /// Login refused.
    case unauthorized
    /// No such stream.
    case notFound
    /// It answers, but not as a camera, or with something Camgate cannot read.
    case unusable
    /// The stream ended without an error.
    case ended
    /// Camgate was asked to stop.
    case stopped
  }

  /// What to do after the error.
  package enum Disposition: Sendable, Equatable {
    /// Try again soon: it may be back any moment.
    case retry
    /// Try again at the slow end: somebody has to mend something first.
    case retrySlowly
    /// Do not try again.
    case finish
  }

  package var code: Code
  /// What failed and what to do about it; never holds a secret.
  package var message: String

  package init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

  /// Basic, without TLS, beyond this machine.
  static let basicRefused = CaptureError(
    .unauthorized,
    "the camera asks for the password in clear (Basic, without TLS), and so may whoever poses as it: not told. Switch it "
      + "to digest or use rtsps; if neither is possible, write auth: basic")

  /// How soon to try again.
  package var disposition: Disposition {
    switch code {
    case .unreachable, .disconnected, .silent, .ended, .unusable: .retry
    case .unauthorized, .notFound: .retrySlowly
    case .stopped: .finish
    }
  }

  /// Why the frames are missing that could not be captured because of it.
  var gapReason: Gap.Reason {
    switch code {
    case .disconnected, .unreachable: .network
    case .silent, .unauthorized, .notFound, .unusable, .ended, .stopped: .camera
    }
  }

  /// The error for an FFmpeg return value (libavutil/error.h). `detail` is the last thing FFmpeg logged about it.
  /// `transport` is the one that was asked for, where another one could be.
  init(
    ffmpeg code: Int32, while action: String, detail: String?, transport: CameraDescription.RTSPTransport? = nil
  ) {
    let reason = detail.map { " (\($0))" } ?? " (\(ffmpegText(code)))"
    switch code {
    case camgate_averror_unauthorized:
      self.init(
        .unauthorized, "the camera wants a login, or another one (401 Unauthorized): check username and password")
    case camgate_averror_forbidden:
      self.init(.unauthorized, "the camera forbids this (403 Forbidden): check the user's rights on the camera")
    case camgate_averror_not_found:
      self.init(.notFound, "the camera has no such stream (404 Not Found): check the path in url")
    case camgate_averror_bad_request, camgate_averror_other_4xx, camgate_averror_server_error,
      camgate_averror_protocol_not_found:
      self.init(.unusable, "the camera refuses the request\(reason)")
    case camgate_averror(EPROTONOSUPPORT):
      let remedy = transport.map { " RTP over \($0.rawValue.uppercased())\(reason): set transport: \($0.other)" }
      self.init(.unusable, "the camera does not offer\(remedy ?? " this transport\(reason)")")
    case camgate_averror_invalid_data:
      let question = action == "connecting" ? "is this the camera's RTSP port and path?" : "is this a video?"
      self.init(.unusable, "no usable video stream\(reason): \(question)")
    case camgate_averror_eof:
      self.init(.ended, "the stream ended")
    case camgate_averror(ECONNREFUSED):
      self.init(.unreachable, "nothing listens there (connection refused): is the camera on, is the port right?")
    case camgate_averror(ENOENT):
      self.init(.unreachable, "the file does not exist")
    case camgate_averror(ECONNRESET), camgate_averror(EPIPE):
      self.init(.disconnected, "the connection broke\(reason)")
    case camgate_averror(ETIMEDOUT), camgate_averror_exit:
      self.init(.silent, "no answer in time while \(action)")
    default:
      self.init(.unreachable, "failed while \(action)\(reason)")
    }
  }
}

extension CameraDescription.RTSPTransport {
  /// What to set instead of it.
  var other: String { self == .tcp ? "udp" : "tcp" }
}

/// FFmpeg's own text for an error (av_strerror).
func ffmpegText(_ code: Int32) -> String {
  var buffer = [CChar](repeating: 0, count: 128)
  av_strerror(code, &buffer, buffer.count)
  return text(of: buffer)
}

/// The version of the FFmpeg that is linked.
package var ffmpegVersion: String { String(cString: av_version_info()) }

/// Whether it marks packets behind a gap of RTP sequence numbers (Toolchain/cross/patches/ffmpeg-rtp-gaps.patch).
let ffmpegMarksGaps = ffmpegVersion.hasSuffix("-camgate")
