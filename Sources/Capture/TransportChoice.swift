import Frames
import Posix

// `transport: auto`: UDP, the lightest, until it loses; then TCP, where nothing is lost on the way, for as long as it takes
// until it is worth another look. A value without a clock of its own.

/// Which transport the next connection of one camera takes.
struct TransportChoice {
  /// So many losses within `memory` are too many; one bad moment is none.
  static let patience = 3
  static let memory = Duration.seconds(600)
  /// How long TCP is kept before UDP is tried again.
  static let retrial = Duration.seconds(24 * 3_600)

  private let setting: CameraDescription.RTSPTransport
  private var losses: [MonotonicTime] = []
  private var tcpUntil: MonotonicTime?
  private var hasReceived = false

  init(_ setting: CameraDescription.RTSPTransport) { self.setting = setting }

  /// The transport for a connection begun now: `tcp` or `udp`.
  mutating func next(now: MonotonicTime) -> CameraDescription.RTSPTransport {
    hasReceived = false
    guard setting == .auto else { return setting }
    if let tcpUntil, now >= tcpUntil { (self.tcpUntil, losses) = (nil, []) }
    return tcpUntil == nil ? .udp : .tcp
  }

  /// A frame came.
  mutating func received() { hasReceived = true }

  /// RTP packets were lost on the present connection; says so when the next one will be over TCP, and
  /// the present one should be given up for it.
  mutating func lost(now: MonotonicTime) -> String? {
    hasReceived = true
    guard isTryingUDP else { return nil }
    losses = losses.filter { now - $0 < TransportChoice.memory } + [now]
    return losses.count >= TransportChoice.patience ? useTCP(now, "UDP loses packets") : nil
  }

  /// The connection failed before or after frames came; says so when the next one will be over TCP.
  mutating func failed(_ error: CaptureError, now: MonotonicTime) -> String? {
    guard isTryingUDP, !hasReceived else { return nil }
    switch error.code {
    case .silent: return useTCP(now, "no frame came over UDP")
    case .unusable: return useTCP(now, "the camera refuses UDP or this stream")
    case .unreachable, .disconnected, .unauthorized, .notFound, .ended, .stopped: return nil
    }
  }

  private var isTryingUDP: Bool { setting == .auto && tcpUntil == nil }

  private mutating func useTCP(_ now: MonotonicTime, _ reason: String) -> String {
    tcpUntil = now + TransportChoice.retrial
    return "\(reason): using TCP from the next connection on"
  }
}
