import CFFmpeg

// What FFmpeg asks while it blocks: whether it should give up. Besides deadlines and the order to stop this is the one
// place where a redirect can be judged before a byte goes to where it leads: FFmpeg follows any RTSP redirect, and takes
// the login along. The URL in force is in the context (AVFormatContext.url; libavformat/rtsp.c, ff_rtsp_connect).

/// Watches one connection from the inside of FFmpeg's blocking calls. Used by one thread; outlives its context.
final class ConnectionGuard {
  /// More redirects than this in one connection lead nowhere.
  static let redirectLimit = 5

  private let interrupt: Interrupt
  private let origin: Origin?
  private var context: UnsafeMutablePointer<AVFormatContext>?
  private var judgedURL: UnsafeMutablePointer<CChar>?
  private var redirectCount = -1
  /// Whether the description that the camera gave has pictures in it.
  private(set) var hasSeenStreams = false
  /// Why the connection goes no further; nil while it may.
  private(set) var refusal: CaptureError?

  /// `url` is where the connection is meant to go.
  init(url: String, interrupt: Interrupt) { (self.interrupt, origin) = (interrupt, Origin(url)) }

  /// The context whose calls are watched, from before it is opened.
  func watch(_ context: UnsafeMutablePointer<AVFormatContext>?) {
    (self.context, judgedURL) = (context, nil)
    context?.pointee.interrupt_callback = AVIOInterruptCB(
      callback: { opaque in
        guard let opaque else { return 0 }
        return Unmanaged<ConnectionGuard>.fromOpaque(opaque).takeUnretainedValue().isDue ? 1 : 0
      }, opaque: Unmanaged.passUnretained(self).toOpaque())
  }

  /// Whether a blocking call should return now.
  var isDue: Bool {
    judgeURL()
    if let context, context.pointee.nb_streams > 0 { hasSeenStreams = true }
    return refusal != nil || interrupt.isDue
  }

  private func judgeURL() {
    // A redirect replaces the string, so another address is another URL.
    guard let url = context?.pointee.url, url != judgedURL, let origin else { return }
    judgedURL = url
    redirectCount += 1
    refusal = refusal ?? origin.refusal(of: String(cString: url), redirectCount: redirectCount)
  }
}

/// Scheme and host of a URL.
struct Origin: Equatable {
  var scheme: String
  var host: String

  /// nil for what is no `scheme://host…`.
  init?(_ url: String) {
    guard let mark = url.utf8.firstIndex(of: UInt8(ascii: ":")), url[mark...].hasPrefix("://") else { return nil }
    scheme = url[..<mark].lowercased()
    var authority = url[url.utf8.index(mark, offsetBy: 3)...].prefix { !"/?#".contains($0) }
    if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
    if authority.first == "[", let end = authority.firstIndex(of: "]") {
      host = authority[...end].lowercased()
    } else {
      host = authority.prefix { $0 != ":" }.lowercased()
    }
    if host.isEmpty { return nil }
  }

  /// Why a redirect from here to `url` is not followed; nil when it is.
  func refusal(of url: String, redirectCount: Int) -> CaptureError? {
    if redirectCount > ConnectionGuard.redirectLimit {
      return CaptureError(.unusable, "the camera redirects in circles")
    }
    guard let target = Origin(url) else {
      return CaptureError(.unusable, "the camera redirects to something that is no URL")
    }
    if target.host != host {
      return CaptureError(
        .unusable,
        "the camera redirects to another host (\(target.host)): not followed; if that is right, put it in url")
    }
    if scheme == "rtsps", target.scheme != scheme {
      return CaptureError(.unusable, "the camera redirects to an unencrypted URL: not followed")
    }
    return nil
  }
}
