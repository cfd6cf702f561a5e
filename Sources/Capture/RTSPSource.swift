import CFFmpeg
import Frames
import Posix

// RTSP cameras through libavformat's demuxer.
//
// FFmpeg's parser hands out access unit n when the first packet of n+1 has come, together with the side data of that
// packet. So what is known when n is handed out, the time of arrival and the camera's clock (RTCP sender reports,
// AV_PKT_DATA_PRFT), belongs to n+1 and is kept until then. The delay is one frame, and it is also a look ahead: the RTP
// time of n+1 is known with n. Motion JPEG is not parsed: there all is the packet's own.
//
// Lost RTP packets: the pinned FFmpeg marks what lies behind them. Another one only logs a line, and over TCP not even that
// unless it has a queue for reordering, so it is given a short one there. With both, what follows a loss may be dropped
// although it is whole (the access unit behind), and two things are not seen: packets that are lost right at the end of a
// connection, and more than 2^15 lost in a row.

/// One RTSP camera.
final class RTSPSource: Source {
  private let url: String
  private let tls: CameraDescription.TLS
  private let largestFrame: Int
  private let allowsBasic: Bool
  private var transport: TransportChoice
  private var keepAlive: KeepAlive
  private let onKeepAlive: (KeepAliveRequest) -> Void
  /// Whether the present connection asks for all tracks: over UDP some cameras send nothing unless all are set up.
  private var asksForAll = false
  /// Whether no packet has come on the present connection, over UDP.
  private var isUDPSilent = false
  private let resolver = Resolver()
  private let interrupt: Interrupt
  private let notes: FFmpegNotes
  private let log: Log
  private var demuxer: Demuxer?
  private var packet = av_packet_alloc()
  private var ahead: Moment?
  /// What the camera's clock was last known to say beyond the media time.
  private var lastOffset: Int64?
  /// How many more packets may suffer from RTP packets that were lost.
  private var suspectCount = 0

  /// When something arrived, and what the camera's clock said then beyond the media time, where that is known.
  private struct Moment {
    var arrival: ClockReading
    var cameraOffset: Int64?

    /// The moment of the access unit in front of the one this belongs to, by their presentation times.
    func earlier(_ times: (own: Int64?, following: Int64?)) -> Moment {
      guard let own = times.own, let following = times.following,
        case let step = following.subtractingSaturated(own), (0...10_000_000_000).contains(step)
      else { return self }
      return Moment(
        arrival: ClockReading(wall: arrival.wall - step, boot: arrival.boot - step), cameraOffset: cameraOffset)
    }
  }

  /// `url` without a login; it is put in here, percent-encoded, and goes nowhere but to FFmpeg. `keepAlive` is what is
  /// known to keep the camera's sessions; `onKeepAlive` is told when something else is.
  init(
    url: String, login: CameraDescription.Login?, transport: CameraDescription.RTSPTransport,
    tls: CameraDescription.TLS = .init(), largestFrame: Int = CameraDescription.Limits().frame,
    keepAlive: KeepAliveRequest = .listed, onKeepAlive: @escaping (KeepAliveRequest) -> Void = { _ in },
    interrupt: Interrupt, notes: FFmpegNotes, log: Log
  ) {
    (self.keepAlive, self.onKeepAlive) = (KeepAlive(proven: keepAlive), onKeepAlive)
    self.url = RTSPSource.url(url, with: login)
    (self.largestFrame, allowsBasic) = (largestFrame, login?.allowsBasic ?? false)
    self.transport = TransportChoice(transport)
    (self.tls, self.interrupt, self.notes, self.log) = (tls, interrupt, notes, log)
  }

  deinit { av_packet_free(&packet) }

  func open() throws(CaptureError) -> SourceStream {
    (ahead, lastOffset, suspectCount) = (nil, nil, 0)
    if let host = Origin(url)?.host { try resolver.resolve(host, interrupt: interrupt) }
    let (isEncrypted, kind) = (url.hasPrefix("rtsps:"), transport.next(now: .now()))
    var options = [
      ("rtsp_transport", isEncrypted ? "tcp" : kind.rawValue),
      ("user_agent", "camgate"),
      // It lets FFmpeg try a name's next address 200 ms after one that does not answer (libavformat/network.c,
      // ff_connect_parallel). Microseconds, as long as it can be: how long anything may take is the interrupt's business.
      ("timeout", "\(Int32.max)"),
      ("protocol_whitelist", isEncrypted ? "rtsp,rtp,tcp,tls" : "rtsp,rtp,tcp,udp"),
      // Only pictures are asked for. It also keeps FFmpeg from moving the media clock when sender reports of several
      // tracks come in (libavformat/rtpdec.c, finalize_packet).
      ("allowed_media_types", asksForAll ? "video+audio" : "video"),
      // FFmpeg unwraps RTP times by itself (rtpdec.c); what it does here on top takes a step back for a wrap.
      ("correct_ts_overflow", "0"),
    ]
    // Only what comes from the camera. Whoever guesses a port can send there.
    if kind != .tcp, !isEncrypted { options.append(("rtsp_flags", "filter_src")) }
    // Two is the shortest queue there is. It delays nothing while nothing is missing.
    if kind == .tcp || isEncrypted { options.append(("reorder_queue_size", "2")) }
    if isEncrypted { options += try tlsOptions() }
    if Demuxer.hasRTSPOption("allow_basic") { options.append(("allow_basic", allowsBasic ? "1" : "0")) }
    // Other tracks cost the camera, and some have one only.
    if Demuxer.hasRTSPOption("one_track"), !asksForAll { options.append(("one_track", "1")) }
    if Demuxer.hasRTSPOption("keep_alive") { options.append(("keep_alive", keepAlive.request.rawValue)) }
    if Demuxer.hasRTSPOption("max_frame_size") { options.append(("max_frame_size", "\(largestFrame)")) }
    do throws(CaptureError) {
      let demuxer = try Demuxer(url: url, options: options, isLive: true, interrupt: interrupt, notes: notes)
      self.demuxer = demuxer
      isUDPSilent = kind == .udp && !isEncrypted
      keepAlive.opened(demuxer.session, now: .now())
      var description = demuxer.description
      description.transport = isEncrypted ? .tcp : kind
      return description
    } catch {
      note(transport.failed(error, now: .now()))
      throw error
    }
  }

  /// What protects an rtsps connection. An FFmpeg that cannot verify is not even connected: the login would be gone.
  private func tlsOptions() throws(CaptureError) -> [(String, String)] {
    guard tls.verifies else { return [] }
    guard Demuxer.canVerifyRTSPS else {
      throw CaptureError(
        .unusable,
        "the FFmpeg this camgate is linked with (\(ffmpegVersion)) cannot verify the certificate of an rtsps camera; "
          + "use the static build, or write tls: {verify: false} to go without")
    }
    guard let file = tls.authorityFile ?? TrustedAuthorities.systemFile else {
      throw CaptureError(
        .unusable, "this system has no certificates of authorities; install ca-certificates, or set tls: {ca: FILE}")
    }
    return [("tls_verify", "1"), ("ca_file", file)]
  }

  func read() throws(CaptureError) -> SourcePacket {
    guard let demuxer, let packet else { throw CaptureError(.disconnected, "not connected") }
    do throws(CaptureError) {
      try demuxer.read(into: packet)
    } catch {
      note(transport.failed(error, now: .now()))
      note(keepAlive.failed(error, now: .now()))
      note(askOtherwise(after: error))
      throw error
    }
    isUDPSilent = false
    if keepAlive.received(now: .now()) {
      log.info("\(keepAlive.proven.name) keeps its sessions")
      onKeepAlive(keepAlive.proven)
    }
    let isParsed = demuxer.description.codec != .mjpeg
    let times = demuxer.pieceTimes
    let arrival = ClockReading.now()
    let pts = isParsed ? times.following : demuxer.nanoseconds(packet.pointee.pts)
    let now = Moment(arrival: arrival, cameraOffset: cameraOffset(of: packet.pointee, pts, arrival, demuxer.wrapPeriod))
    let isFirst = isParsed && ahead == nil
    let own = isParsed ? ahead ?? now.earlier(times) : now
    (ahead, lastOffset) = (now, now.cameraOffset ?? lastOffset)
    // The packets after a loss belong to this access unit or to the next one; where FFmpeg does not mark the right one,
    // neither can be trusted.
    if notes.missedPacketCount > 0 {
      if !ffmpegMarksGaps { suspectCount = isParsed ? 2 : 1 }
      if let change = transport.lost(now: .now()) { throw CaptureError(.disconnected, change) }
    } else {
      transport.received()
    }
    defer { suspectCount = max(0, suspectCount - 1) }
    var result = demuxer.sourcePacket(taking: packet, arrival: own.arrival, isSuspect: suspectCount > 0)
    result.cameraOffset = own.cameraOffset
    result.oversizeCount = notes.oversizeCount
    if isParsed {
      // FFmpeg takes a first RTP time of zero for none, and begins with the second one (rtpdec.c, finalize_packet).
      result.pts = isFirst && times.own == times.following ? nil : times.own ?? result.pts
      result.followingPts = times.following
    }
    return result
  }

  /// By how much the camera's clock is ahead of the media time, if the packet says it. FFmpeg adds the distance from the
  /// sender report's RTP time without a thought to its wrapping (rtpdec.c, rtp_set_prft).
  private func cameraOffset(
    of packet: AVPacket, _ pts: Int64?, _ arrival: ClockReading, _ wrapPeriod: Int64
  ) -> Int64? {
    guard let time = packet.producerReferenceTime, let pts else { return nil }
    let offset = time.subtractingSaturated(pts)
    let expected = lastOffset ?? arrival.wall.subtractingSaturated(pts)
    let others = [offset.subtractingSaturated(wrapPeriod), offset.addingSaturated(wrapPeriod)]
    return others.first { $0.subtractingSaturated(expected).magnitude <= CaptureClock.cameraTolerance.magnitude }
      ?? offset
  }

  /// In turns, while nothing comes over UDP.
  private func askOtherwise(after error: CaptureError) -> String? {
    guard error.code == .silent, isUDPSilent else { return nil }
    asksForAll.toggle()
    return asksForAll
      ? "no packet came over UDP: all tracks are asked for next, for some cameras send nothing otherwise" : nil
  }

  private func note(_ change: String?) {
    if let change { log.info(change) }
  }

  var arrivals: Arrivals? { demuxer?.arrivals }

  func close() {
    demuxer?.close()
    demuxer = nil
  }

  static func url(_ url: String, with login: CameraDescription.Login?) -> String {
    guard let login, let mark = url.utf8.firstIndex(of: UInt8(ascii: "/")) else { return url }
    let host = url.utf8.index(mark, offsetBy: 2)
    let user = PercentEncoding.encode(login.username)
    return "\(url[..<host])\(user):\(PercentEncoding.encode(login.password))@\(url[host...])"
  }
}

extension AVPacket {
  /// AVProducerReferenceTime.wallclock (microseconds since 1970) in nanoseconds.
  fileprivate var producerReferenceTime: Int64? {
    var size = 0
    return withUnsafePointer(to: self) { packet in
      guard let data = av_packet_get_side_data(packet, AV_PKT_DATA_PRFT, &size),
        size >= MemoryLayout<AVProducerReferenceTime>.size
      else { return nil }
      let time = UnsafeRawPointer(data).loadUnaligned(as: AVProducerReferenceTime.self)
      let (nanoseconds, overflow) = time.wallclock.multipliedReportingOverflow(by: 1_000)
      return overflow ? nil : nanoseconds
    }
  }
}
