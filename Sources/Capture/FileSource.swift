import CFFmpeg
import Frames
import Posix

// Files as cameras, for tests and demonstrations: any container FFmpeg reads, paced by its timestamps.

/// One video file.
final class FileSource: Source {
  private let path: String
  private let loops: Bool
  private let interrupt: Interrupt
  private let notes: FFmpegNotes
  private var demuxer: Demuxer?
  private var filter: BitstreamFilter?
  private var packet = av_packet_alloc()

  /// How far the file's own clock may be ahead of or behind the next frame's nominal time, nanoseconds. What is beyond
  /// (joined recordings, a broken time) is a jump, and is played without it.
  private static let steps: ClosedRange<Int64> = -1_000_000_000...60_000_000_000

  /// Media time that the runs before this one have used up, nanoseconds.
  private var elapsed: Int64 = 0
  private var runStart = MonotonicTime.now()
  /// Times of this run in nanoseconds: of its first packet, and right behind its last one.
  private var firstTime: Int64?
  private var nextTime: Int64 = 0

  init(path: String, loops: Bool, interrupt: Interrupt, notes: FFmpegNotes) {
    (self.path, self.loops, self.interrupt, self.notes) = (path, loops, interrupt, notes)
  }

  deinit { av_packet_free(&packet) }

  func open() throws(CaptureError) -> SourceStream {
    (elapsed, runStart) = (0, .now())
    return try openRun()
  }

  private func openRun() throws(CaptureError) -> SourceStream {
    close()
    let demuxer: Demuxer
    do throws(CaptureError) {
      demuxer = try Demuxer(
        url: "file:" + path, options: [("protocol_whitelist", "file")], isLive: false, interrupt: interrupt,
        notes: notes)
    } catch {
      throw CaptureError(error.code, "\(path): \(error.message)")
    }
    self.demuxer = demuxer
    filter = try BitstreamFilter(for: demuxer)
    (firstTime, nextTime) = (nil, 0)
    var description = demuxer.description
    // Length-prefixed streams (MP4, Matroska) keep their sets in another form; the filter puts them into the stream.
    if filter != nil { description.parameterSets = [] }
    return description
  }

  func read() throws(CaptureError) -> SourcePacket {
    guard let packet else { throw CaptureError(.disconnected, "out of memory") }
    do throws(CaptureError) {
      try readPacket(packet)
    } catch  where error.code == .ended && loops && firstTime != nil {
      elapsed = elapsed.addingSaturated(nextTime)
      runStart = runStart + .nanoseconds(nextTime)
      _ = try openRun()
      try readPacket(packet)
    }
    guard let demuxer else { throw CaptureError(.disconnected, "not open") }
    var result = demuxer.sourcePacket(taking: packet, arrival: .now(), isSuspect: false)
    // Streams without times of their own (raw H.264) are played at their nominal rate.
    let time = result.dts ?? result.pts ?? ((firstTime ?? 0) &+ nextTime)
    var first = firstTime ?? time
    if !FileSource.steps.contains(time.subtractingSaturated(first).subtractingSaturated(nextTime)) {
      first = time &- nextTime
    }
    firstTime = first
    let runTime = time &- first
    nextTime = max(nextTime, runTime.addingSaturated(frameInterval(of: demuxer)))
    if !interrupt.sleep(until: runStart + .nanoseconds(runTime)) { throw CaptureError(.stopped, "stopped") }
    result.pts = elapsed &+ (result.pts ?? time) &- first
    result.dts = result.dts.map { elapsed &+ $0 &- first }
    result.arrival = .now()
    return result
  }

  func close() {
    filter = nil
    demuxer?.close()
    demuxer = nil
  }

  private func readPacket(_ packet: UnsafeMutablePointer<AVPacket>) throws(CaptureError) {
    guard let demuxer else { throw CaptureError(.disconnected, "not open") }
    guard let filter else { return try demuxer.read(into: packet) }
    while !(try filter.receive(packet)) {
      try demuxer.read(into: packet)
      try filter.send(packet)
    }
  }

  private func frameInterval(of demuxer: Demuxer) -> Int64 {
    let rate = demuxer.stream.pointee.avg_frame_rate
    guard rate.num > 0, rate.den > 0 else { return 40_000_000 }
    return Int64(rate.den) * 1_000_000_000 / Int64(rate.num)
  }
}

/// Length-prefixed NAL units to Annex B (FFmpeg's h264_mp4toannexb and hevc_mp4toannexb).
private final class BitstreamFilter {
  private var context: UnsafeMutablePointer<AVBSFContext>?

  /// nil when the stream is in Annex B already, or is no H.264 or H.265.
  init?(for demuxer: Demuxer) throws(CaptureError) {
    guard let parameters = demuxer.stream.pointee.codecpar, demuxer.description.codec != .mjpeg,
      let extradata = parameters.pointee.extradata, parameters.pointee.extradata_size > 0, extradata[0] == 1
    else { return nil }
    let name = demuxer.description.codec == .h264 ? "h264_mp4toannexb" : "hevc_mp4toannexb"
    guard let filter = av_bsf_get_by_name(name), av_bsf_alloc(filter, &context) >= 0, let context,
      avcodec_parameters_copy(context.pointee.par_in, parameters) >= 0
    else { throw CaptureError(.unusable, "this build's FFmpeg lacks the filter \(name)") }
    context.pointee.time_base_in = demuxer.stream.pointee.time_base
    let code = av_bsf_init(context)
    if code < 0 { throw CaptureError(ffmpeg: code, while: "starting \(name)", detail: nil) }
  }

  deinit { av_bsf_free(&context) }

  /// Takes the packet's content.
  func send(_ packet: UnsafeMutablePointer<AVPacket>) throws(CaptureError) {
    let code = av_bsf_send_packet(context, packet)
    if code < 0 { throw CaptureError(ffmpeg: code, while: "converting to Annex B", detail: nil) }
  }

  /// False when it needs more input first.
  func receive(_ packet: UnsafeMutablePointer<AVPacket>) throws(CaptureError) -> Bool {
    let code = av_bsf_receive_packet(context, packet)
    if code == camgate_averror(EAGAIN) || code == camgate_averror_eof { return false }
    if code < 0 { throw CaptureError(ffmpeg: code, while: "converting to Annex B", detail: nil) }
    return true
  }
}
