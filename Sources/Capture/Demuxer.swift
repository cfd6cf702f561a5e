import CFFmpeg
import Frames
import Posix

// libavformat, wrapped: opening with options that must all be understood, and reading packets of the one video stream. Their
// bytes are copied once, into memory of their exact size, so that a budget in bytes is one.

/// An open AVFormatContext and its video stream. Used by one thread (libavformat's contexts are not thread-safe).
final class Demuxer {
  private var context: UnsafeMutablePointer<AVFormatContext>?
  private let notes: FFmpegNotes
  private let interrupt: Interrupt
  private let guardian: ConnectionGuard
  /// Whether packets come out of FFmpeg's parser, which is then asked whether it ended.
  private let isLive: Bool
  /// The video stream that is read.
  let stream: UnsafeMutablePointer<AVStream>
  /// What kind of stream it is.
  let description: SourceStream

  /// Opens `url` and picks its first video stream. Options that this FFmpeg leaves unconsumed are an error: that is how
  /// a protection that does not exist would go unnoticed. `probes` lets FFmpeg read ahead to learn what a file does not
  /// say in its header; a live stream says all that is needed.
  init(url: String, options: [(String, String)], isLive: Bool, interrupt: Interrupt, notes: FFmpegNotes)
    throws(CaptureError)
  {
    _ = Demuxer.limits
    notes.begin()
    var dictionary: OpaquePointer?
    for (key, value) in options { av_dict_set(&dictionary, key, value, 0) }
    defer { av_dict_free(&dictionary) }
    guard let allocated = avformat_alloc_context() else { throw CaptureError(.unusable, "out of memory") }
    let guardian = ConnectionGuard(url: url, interrupt: interrupt)
    guardian.watch(allocated)
    var context: UnsafeMutablePointer<AVFormatContext>? = allocated
    // Frees the context itself when it fails.
    let code = avformat_open_input(&context, url, nil, &dictionary)
    guard code >= 0, let context else {
      guardian.watch(nil)
      // Without a track to set up, FFmpeg asks for PLAY all the same.
      if guardian.refusal == nil, !guardian.hasSeenStreams, notes.lastError?.contains("method PLAY failed") == true {
        throw CaptureError(.unusable, Demuxer.noVideo)
      }
      throw guardian.refusal
        ?? Demuxer.failure(
          code, while: isLive ? "connecting" : "opening", interrupt, notes,
          transport: Demuxer.transport(options), hasSeenStreams: guardian.hasSeenStreams)
    }
    self.context = context
    (self.interrupt, self.notes, self.guardian, self.isLive) = (interrupt, notes, guardian, isLive)
    do throws(CaptureError) {
      if let unknown = av_dict_get(dictionary, "", nil, AV_DICT_IGNORE_SUFFIX) {
        let key = String(cString: unknown.pointee.key)
        throw CaptureError(.unusable, "this build's FFmpeg does not understand the option '\(key)'")
      }
      if !isLive {
        let code = avformat_find_stream_info(context, nil)
        if code < 0 { throw Demuxer.failure(code, while: "probing", interrupt, notes) }
      }
      (stream, description) = try Demuxer.selectVideo(in: context)
    } catch {
      // `deinit` does not run for an object that was never complete.
      var context: UnsafeMutablePointer<AVFormatContext>? = context
      interrupt.allowingGoodbye { avformat_close_input(&context) }
      throw error
    }
  }

  deinit { close() }

  /// Closes the connection; RTSP says TEARDOWN.
  func close() {
    guard context != nil else { return }
    interrupt.allowingGoodbye { avformat_close_input(&context) }
  }

  /// The next packet of the video stream, as an owned AVPacket. Other streams' packets are passed over.
  ///
  /// When a live stream ends, FFmpeg hands out what its parser still has: the beginning of an access unit of which nobody
  /// knows whether it is whole. It can be told by the parser, which is gone by then (libavformat/demux.c, parse_packet),
  /// and is not passed on.
  func read(into packet: UnsafeMutablePointer<AVPacket>) throws(CaptureError) {
    notes.clear()
    var isFlushed = false
    while true {
      av_packet_unref(packet)
      let code = av_read_frame(context, packet)
      if let refusal = guardian.refusal { throw refusal }
      if code < 0 { throw Demuxer.failure(code, while: "reading", interrupt, notes) }
      // What FFmpeg hands out when a call is interrupted is the beginning of an access unit that its parser still had
      // (libavformat/demux.c, read_frame_internal). And a lively audio track must not keep a stalled picture alive.
      if interrupt.isDue { throw Demuxer.failure(camgate_averror_exit, while: "reading", interrupt, notes) }
      if packet.pointee.stream_index != stream.pointee.index { continue }
      if !isParsed { return }
      if isFlushed { throw CaptureError(.disconnected, "the stream broke off") }
      if av_stream_get_parser(stream) != nil { return }
      isFlushed = true
    }
  }

  /// H.264 and H.265 come in pieces that FFmpeg's parser makes access units of; a JPEG comes whole.
  private var isParsed: Bool { isLive && description.codec != .mjpeg }

  /// The presentation times, nanoseconds, of the access unit that was just read and of the one behind it; nil without a
  /// parser. FFmpeg's parser gives an access unit the time of its first piece (and none to the first of a connection:
  /// libavcodec/parser.c, ff_fetch_timestamp), which may be that of a parameter set with the time of the picture before.
  /// It still has the times of the last pieces it was given: the newest one begins the access unit behind, so the one
  /// before it was the last of this one, a slice with the picture's own time.
  var pieceTimes: (own: Int64?, following: Int64?) {
    guard isParsed, let parser = av_stream_get_parser(stream) else { return (nil, nil) }
    let newest = Int(parser.pointee.cur_frame_start_index)
    return withUnsafeBytes(of: parser.pointee.cur_frame_pts) { times in
      func time(_ index: Int) -> Int64? {
        nanoseconds(times.loadUnaligned(fromByteOffset: index % 4 * MemoryLayout<Int64>.size, as: Int64.self))
      }
      return (time(newest + 3), time(newest))
    }
  }

  /// After how many nanoseconds RTP's time begins again (32 bits).
  var wrapPeriod: Int64 { nanoseconds(1 << 32) ?? .max }

  /// What the RTSP demuxer says of itself, by the name of an option that patches bring; nil without it.
  func rtspValue(_ name: String) -> Int64? {
    var value: Int64 = 0
    guard let state = context?.pointee.priv_data, Demuxer.hasRTSPOption(name),
      av_opt_get_int(state, name, 0, &value) >= 0
    else { return nil }
    return value
  }

  /// Packets that came since the connection was opened; nil with an FFmpeg that does not count.
  var arrivals: Arrivals? {
    guard let media = rtspValue("arrived_media"), let reports = rtspValue("arrived_reports"),
      let foreign = rtspValue("arrived_foreign")
    else { return nil }
    return Arrivals(media: media, reports: reports, foreign: foreign)
  }

  /// What the camera says of its sessions; nil with an FFmpeg that does not tell.
  var session: KeepAlive.Session? {
    guard let timeout = rtspValue("session_timeout"), let isListed = rtspValue("get_parameter_listed") else {
      return nil
    }
    return KeepAlive.Session(timeout: .seconds(timeout), listsGetParameter: isListed != 0)
  }

  /// Whether this FFmpeg's RTSP demuxer hands verification on to TLS (ffmpeg-rtsps-verify.patch).
  static var canVerifyRTSPS: Bool { hasRTSPOption("tls_verify") }

  /// Whether this FFmpeg's RTSP demuxer has an option that patches bring (Toolchain/cross/patches/ffmpeg-rtsp*.patch).
  static func hasRTSPOption(_ name: String) -> Bool {
    guard var options = av_find_input_format("rtsp")?.pointee.priv_class else { return false }
    return withUnsafeMutablePointer(to: &options) {
      av_opt_find($0, name, nil, 0, AV_OPT_SEARCH_FAKE_OBJ) != nil
    }
  }

  /// The largest piece of memory FFmpeg may ask for at once, in the whole process: a picture of 8K fits, a description
  /// of two gigabytes does not (libavformat allocates what Content-Length says).
  private static let limits: Void = av_max_alloc(64 << 20)

  /// Why a call failed. Orders and deadlines go first: FFmpeg makes something else of an interrupted call here and
  /// there, as "invalid data" of an answer that never came.
  private static func failure(
    _ code: Int32, while action: String, _ interrupt: Interrupt, _ notes: FFmpegNotes,
    transport: CameraDescription.RTSPTransport? = nil, hasSeenStreams: Bool = false
  ) -> CaptureError {
    if interrupt.isStopped { return CaptureError(.stopped, "stopped") }
    if notes.hasRefusedBasic { return .basicRefused }
    // The login was not sent, so it was not refused.
    if code == camgate_averror_unauthorized, notes.wantsSHA256, !ffmpegMarksGaps {
      return CaptureError(
        .unusable,
        "the camera asks for Digest with SHA-256, which the FFmpeg this camgate is linked with (\(ffmpegVersion)) cannot "
          + "do: use the static build, or set the camera to MD5")
    }
    var error = CaptureError(
      ffmpeg: interrupt.isDue ? camgate_averror_exit : code, while: action, detail: notes.lastError,
      transport: transport)
    // The description was given, so it is the transport that is refused, or all there is.
    if let transport, hasSeenStreams, code == camgate_averror_bad_request || code == camgate_averror_other_4xx {
      error.message +=
        "; it may not offer RTP over \(transport.rawValue.uppercased()): try transport: \(transport.other)"
    }
    if let source = notes.strangeSource, error.code == .silent {
      error.message +=
        "; packets come from \(source) and are not taken, for the camera does not say that it sends from there: "
        + "transport tcp needs no such address"
    }
    return error
  }

  /// The transport that these options ask for, where the camera could be asked for another one.
  private static func transport(_ options: [(String, String)]) -> CameraDescription.RTSPTransport? {
    if options.contains(where: { $0 == "protocol_whitelist" && $1.contains("tls") }) { return nil }
    return options.first { $0.0 == "rtsp_transport" }.flatMap { CameraDescription.RTSPTransport(rawValue: $0.1) }
  }

  /// Makes a source's packet of an AVPacket, which is empty afterwards. RTP has no decoding times; those that FFmpeg makes
  /// up for it do not know how far pictures are reordered (libavformat/demux.c, compute_pkt_fields).
  func sourcePacket(
    taking packet: UnsafeMutablePointer<AVPacket>, arrival: ClockReading, isSuspect: Bool
  ) -> SourcePacket {
    let (flags, pts, dts) = (packet.pointee.flags, packet.pointee.pts, packet.pointee.dts)
    return SourcePacket(
      payload: Payload(taking: packet), pts: nanoseconds(pts), dts: isLive ? nil : nanoseconds(dts), arrival: arrival,
      isSuspect: isSuspect || flags & AV_PKT_FLAG_CORRUPT != 0)
  }

  /// `time` in units of the stream's time base as nanoseconds; nil for AV_NOPTS_VALUE, and for what nanoseconds cannot
  /// say, which av_rescale_q gives as the same value.
  func nanoseconds(_ time: Int64) -> Int64? {
    if time == camgate_nopts { return nil }
    let result = av_rescale_q(time, stream.pointee.time_base, AVRational(num: 1, den: 1_000_000_000))
    return result == .min ? nil : result
  }

  private static let noVideo = "no H.264, H.265 or MJPEG video in this stream"

  private static func selectVideo(
    in context: UnsafeMutablePointer<AVFormatContext>
  ) throws(CaptureError) -> (UnsafeMutablePointer<AVStream>, SourceStream) {
    var selected: (UnsafeMutablePointer<AVStream>, Codec)?
    var ignored: [String] = []
    for index in 0..<Int(context.pointee.nb_streams) {
      guard let stream = context.pointee.streams[index], let parameters = stream.pointee.codecpar else { continue }
      let name = String(cString: avcodec_get_name(parameters.pointee.codec_id))
      if selected == nil, let codec = Codec(parameters.pointee.codec_id) {
        selected = (stream, codec)
      } else {
        stream.pointee.discard = AVDISCARD_ALL
        let kind = av_get_media_type_string(parameters.pointee.codec_type).map { String(cString: $0) } ?? "unknown"
        ignored.append("\(kind) (\(name))")
      }
    }
    guard let (stream, codec) = selected else {
      let found = ignored.isEmpty ? "" : "; it has: \(ignored.joined(separator: ", "))"
      throw CaptureError(.unusable, Demuxer.noVideo + found)
    }
    let parameters = stream.pointee.codecpar.pointee
    let extradata = UnsafeRawBufferPointer(start: parameters.extradata, count: Int(parameters.extradata_size))
    return (stream, SourceStream(codec: codec, parameterSets: Array(extradata), ignoredTracks: ignored))
  }
}

extension Codec {
  fileprivate init?(_ id: AVCodecID) {
    switch id {
    case AV_CODEC_ID_H264: self = .h264
    case AV_CODEC_ID_HEVC: self = .h265
    case AV_CODEC_ID_MJPEG: self = .mjpeg
    default: return nil
    }
  }
}

extension Payload {
  /// A copy of a packet's bytes; `packet` is empty afterwards. A packet kept as it is would hold an eighth more memory for
  /// as long as Kafka is away: its padding, its books and what aligned allocations leave unused.
  convenience init(taking packet: UnsafeMutablePointer<AVPacket>) {
    self.init(joining: [UnsafeRawBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size))])
    av_packet_unref(packet)
  }
}
