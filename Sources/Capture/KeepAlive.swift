import Frames
import Posix

// What keeps an RTSP session: cameras end one in which nothing is asked for as long as its timeout says. Most take any
// request; some want GET_PARAMETER and do not list it, and some list it and end the connection at it. The request is sent
// at half of the timeout (libavformat/rtsp.c), so both show as connections that all end at the timeout or at half of it.

/// The request that keeps a session, by its name in FFmpeg's option `keep_alive`
/// (Toolchain/cross/patches/ffmpeg-rtsp-alive.patch).
package enum KeepAliveRequest: String, Sendable {
  /// GET_PARAMETER where the camera lists it, else OPTIONS: what FFmpeg does by itself.
  case listed
  case options
  case getParameter = "get_parameter"

  /// For people.
  package var name: String {
    switch self {
    case .listed: "what it lists"
    case .options: "OPTIONS"
    case .getParameter: "GET_PARAMETER"
    }
  }
}

/// Finds the request that keeps the sessions of one camera. A value; `now` is an argument.
struct KeepAlive {
  /// What a camera says of its sessions.
  struct Session {
    var timeout: Duration
    var listsGetParameter: Bool
  }

  /// So many connections in a row must end alike.
  static let dropLimit = 2

  /// What the next connection is kept with.
  private(set) var request: KeepAliveRequest
  /// What is known to keep them: a session has lasted for two timeouts.
  private(set) var proven: KeepAliveRequest
  private var tried: Set<KeepAliveRequest> = []
  private var session: Session?
  private var openTime = MonotonicTime(nanoseconds: 0)
  private var lastPacket: MonotonicTime?
  private var dropCount = 0
  private var lastLifetime: Duration?
  private var hasSpoken = false

  /// `proven` is what an earlier run has found out.
  init(proven: KeepAliveRequest) { (request, self.proven) = (proven, proven) }

  /// The connection stands. `session` is nil where FFmpeg does not tell, and takes no order either.
  mutating func opened(_ session: Session?, now: MonotonicTime) {
    (self.session, openTime, lastPacket) = (session, now, nil)
  }

  /// A packet came; true when it proves that the request keeps sessions.
  mutating func received(now: MonotonicTime) -> Bool {
    lastPacket = now
    guard let session, now - openTime > session.timeout * 2 else { return false }
    (tried, dropCount) = ([], 0)
    guard request != proven else { return false }
    proven = request
    return true
  }

  /// The connection is over; a line for the log when something follows from that.
  mutating func failed(_ error: CaptureError, now: MonotonicTime) -> String? {
    defer { lastPacket = nil }
    guard let lastPacket else { return nil }
    let isDrop: Bool
    switch error.code {
    case .ended, .disconnected: isDrop = true
    // The connection stands and nothing comes: it ended with the last packet.
    case .silent: isDrop = true
    case .unreachable, .unauthorized, .notFound, .unusable, .stopped: isDrop = false
    }
    let lifetime = (error.code == .silent ? lastPacket : now) - openTime
    defer { lastLifetime = lifetime }
    guard isDrop, lifetime >= .seconds(2) else { return forget() }
    guard let session else { return speak(lastLifetime, lifetime) }
    guard isLike(session.timeout, lifetime) || isLike(session.timeout / 2, lifetime) else { return forget() }
    dropCount += 1
    return dropCount >= KeepAlive.dropLimit ? change(session, lifetime) : nil
  }

  private mutating func forget() -> String? {
    dropCount = 0
    return nil
  }

  private func isLike(_ expected: Duration, _ lifetime: Duration) -> Bool {
    let difference = lifetime > expected ? lifetime - expected : expected - lifetime
    return difference <= max(.milliseconds(1_500), expected / 8)
  }

  /// The next request that was not tried yet; when all were, it is not the request, and FFmpeg has its way again.
  private mutating func change(_ session: Session, _ lifetime: Duration) -> String? {
    dropCount = 0
    tried.insert(request)
    if request == .listed { tried.insert(session.listsGetParameter ? .getParameter : .options) }
    let others: [KeepAliveRequest] = [.getParameter, .options]
    guard let next = others.first(where: { !tried.contains($0) }) else {
      request = .listed
      return nil
    }
    request = next
    return "connections end after \(seconds(lifetime)) s, as its sessions do (\(seconds(session.timeout)) s): "
      + "kept with \(next.name) from the next one on"
  }

  /// Of what cannot be changed.
  private mutating func speak(_ before: Duration?, _ lifetime: Duration) -> String? {
    guard !hasSpoken, let before, min(before, lifetime) >= .seconds(10),
      max(before, lifetime) - min(before, lifetime) <= .milliseconds(1_500)
    else { return nil }
    hasSpoken = true
    return "connections end every \(seconds(lifetime)) s: the camera may want another request to keep its sessions, "
      + "which the FFmpeg this camgate is linked with (\(ffmpegVersion)) does not send; the static build does"
  }

  private func seconds(_ duration: Duration) -> Int { Int(duration.inSeconds.rounded()) }
}
