import CFFmpeg
import Frames
import Posix

// libavformat, wrapped: opening with options that must all be understood, reading packets of the one video stream, and
// keeping their bytes without a copy.

/// An open AVFormatContext and its video stream. Used by one thread (libavformat's contexts are not thread-safe).
final class Demuxer {
  private var context: UnsafeMutablePointer<AVFormatContext>?
  private let notes: FFmpegNotes
  private let interrupt: Interrupt
  /// The video stream that is read.
  let stream: UnsafeMutablePointer<AVStream>
  /// What kind of stream it is.
  let description: SourceStream

  /// Opens `url` and picks its first video stream. Options that this FFmpeg leaves unconsumed are an error: that is how
  /// a protection that does not exist would go unnoticed. `probes` lets FFmpeg read ahead to learn what a file does not
  /// say in its header; a live stream says all that is needed.
  init(url: String, options: [(String, String)], probes: Bool, interrupt: Interrupt, notes: FFmpegNotes)
    throws(CaptureError)
  {
    notes.clear()
    var dictionary: OpaquePointer?
    for (key, value) in options { av_dict_set(&dictionary, key, value, 0) }
    defer { av_dict_free(&dictionary) }
    guard let allocated = avformat_alloc_context() else { throw CaptureError(.unusable, "out of memory") }
    allocated.pointee.interrupt_callback = interrupt.callback
    var context: UnsafeMutablePointer<AVFormatContext>? = allocated
    // Frees the context itself when it fails.
    let code = avformat_open_input(&context, url, nil, &dictionary)
    guard code >= 0, let context else {
      throw Demuxer.failure(code, while: "connecting", interrupt, notes)
    }
    self.context = context
    (self.interrupt, self.notes) = (interrupt, notes)
    do throws(CaptureError) {
      if let unknown = av_dict_get(dictionary, "", nil, AV_DICT_IGNORE_SUFFIX) {
        let key = String(cString: unknown.pointee.key)
        throw CaptureError(.unusable, "this build's FFmpeg does not understand the option '\(key)'")
      }
      if probes {
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
  func read(into packet: UnsafeMutablePointer<AVPacket>) throws(CaptureError) {
    notes.clear()
    while true {
      av_packet_unref(packet)
      let code = av_read_frame(context, packet)
      if code < 0 { throw Demuxer.failure(code, while: "reading", interrupt, notes) }
      // What FFmpeg hands out when a call is interrupted is the beginning of an access unit that its parser still had
      // (libavformat/demux.c, read_frame_internal). And a lively audio track must not keep a stalled picture alive.
      if interrupt.isDue { throw Demuxer.failure(camgate_averror_exit, while: "reading", interrupt, notes) }
      if packet.pointee.stream_index == stream.pointee.index { return }
    }
  }

  /// Why a call failed. Orders and deadlines go first: FFmpeg makes something else of an interrupted call here and
  /// there, as "invalid data" of an answer that never came.
  private static func failure(
    _ code: Int32, while action: String, _ interrupt: Interrupt, _ notes: FFmpegNotes
  ) -> CaptureError {
    if interrupt.isStopped { return CaptureError(.stopped, "stopped") }
    return CaptureError(
      ffmpeg: interrupt.isDue ? camgate_averror_exit : code, while: action, detail: notes.lastError)
  }

  /// Makes a source's packet of a reference-counted AVPacket, whose bytes are taken, not copied; `packet` is empty
  /// afterwards.
  func sourcePacket(
    taking packet: UnsafeMutablePointer<AVPacket>, arrival: Int64, cameraTime: Int64?, isSuspect: Bool
  ) -> SourcePacket {
    let (flags, pts, dts) = (packet.pointee.flags, packet.pointee.pts, packet.pointee.dts)
    return SourcePacket(
      payload: Payload(taking: packet), isKeyframe: flags & AV_PKT_FLAG_KEY != 0, pts: nanoseconds(pts),
      dts: nanoseconds(dts), arrival: arrival, cameraTime: cameraTime,
      isSuspect: isSuspect || flags & AV_PKT_FLAG_CORRUPT != 0)
  }

  /// `time` in units of the stream's time base as nanoseconds; nil for AV_NOPTS_VALUE, and for what nanoseconds cannot
  /// say, which av_rescale_q gives as the same value.
  private func nanoseconds(_ time: Int64) -> Int64? {
    if time == camgate_nopts { return nil }
    let result = av_rescale_q(time, stream.pointee.time_base, AVRational(num: 1, den: 1_000_000_000))
    return result == .min ? nil : result
  }

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
      throw CaptureError(.unusable, "no H.264, H.265 or MJPEG video in this stream\(found)")
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
  /// Takes the bytes of a reference-counted packet without copying them; `packet` is empty afterwards.
  convenience init(taking packet: UnsafeMutablePointer<AVPacket>) {
    guard let owned = av_packet_alloc() else { preconditionFailure("out of memory") }
    av_packet_move_ref(owned, packet)
    self.init(adopting: UnsafeRawBufferPointer(start: owned.pointee.data, count: Int(owned.pointee.size))) {
      var owned: UnsafeMutablePointer<AVPacket>? = owned
      av_packet_free(&owned)
    }
  }
}
