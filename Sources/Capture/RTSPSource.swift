import CFFmpeg
import Frames
import Posix

// RTSP cameras through libavformat's demuxer.
//
// FFmpeg's parser hands out access unit n when the first packet of n+1 has come, together with the side data of that
// packet. So what is known when n is handed out, the time of arrival and the camera's own time (RTCP sender reports,
// AV_PKT_DATA_PRFT), belongs to n+1 and is kept until then. The delay is one frame. Motion JPEG is not parsed: there it
// is the packet's own.

/// One RTSP camera.
final class RTSPSource: Source {
  private let url: String
  private let transport: CameraDescription.RTSPTransport
  private let interrupt: Interrupt
  private let notes: FFmpegNotes
  private var demuxer: Demuxer?
  private var packet = av_packet_alloc()
  private var ahead: Moment?
  /// How many more packets may suffer from RTP packets that were lost.
  private var suspectCount = 0

  /// When something happened: on our clock and, where known, on the camera's.
  private struct Moment {
    var arrival: Int64
    var cameraTime: Int64?
  }

  /// `url` without a login; it is put in here, percent-encoded, and goes nowhere but to FFmpeg.
  init(
    url: String, login: CameraDescription.Login?, transport: CameraDescription.RTSPTransport, interrupt: Interrupt,
    notes: FFmpegNotes
  ) {
    self.url = RTSPSource.url(url, with: login)
    (self.transport, self.interrupt, self.notes) = (transport, interrupt, notes)
  }

  deinit { av_packet_free(&packet) }

  func open() throws(CaptureError) -> SourceStream {
    (ahead, suspectCount) = (nil, 0)
    let demuxer = try Demuxer(
      url: url,
      options: [
        ("rtsp_transport", transport.rawValue),
        ("user_agent", "camgate"),
        ("protocol_whitelist", "rtsp,rtp,tcp,udp"),
        // Only pictures are asked for. It also keeps FFmpeg from moving the media clock when sender reports of several
        // tracks come in (libavformat/rtpdec.c, finalize_packet).
        ("allowed_media_types", "video"),
      ], probes: false, interrupt: interrupt, notes: notes)
    self.demuxer = demuxer
    return demuxer.description
  }

  func read() throws(CaptureError) -> SourcePacket {
    guard let demuxer, let packet else { throw CaptureError(.disconnected, "not connected") }
    try demuxer.read(into: packet)
    let now = Moment(
      arrival: WallClock.nanosecondsSince1970(), cameraTime: packet.pointee.producerReferenceTime)
    let isParsed = demuxer.description.codec != .mjpeg
    let own = isParsed ? ahead ?? Moment(arrival: now.arrival) : now
    ahead = now
    // The packets after a loss belong to this access unit or to the next one; neither can be trusted.
    if notes.missedPacketCount > 0 { suspectCount = 2 }
    defer { suspectCount = max(0, suspectCount - 1) }
    return demuxer.sourcePacket(
      taking: packet, arrival: own.arrival, cameraTime: own.cameraTime, isSuspect: suspectCount > 0)
  }

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
