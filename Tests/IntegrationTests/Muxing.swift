import CFFmpeg
import Foundation
import Frames

@testable import Capture

// Whether muxers take records with their times: libavformat's, which refuse decoding times that do not rise, and
// presentation before decoding (libavformat/mux.c, compute_muxer_pkt_fields). The pinned FFmpeg has no muxers: these are
// looked at with the distribution's.

enum Muxing {
  /// What the muxers for MP4 and Matroska say of a camera's records, the first refusal of each.
  static func refusals(of frames: [Frame]) -> [String] {
    (ffmpegMarksGaps ? [] : ["mp4", "matroska"]).compactMap { format in
      refusal(of: frames, format).map { "\(format) \($0)" }
    }
  }

  private static func refusal(of frames: [Frame], _ format: String) -> String? {
    let file = FileManager.default.temporaryDirectory.appending(path: "camgate-muxed-\(UUID().uuidString)").path
    var opened: UnsafeMutablePointer<AVFormatContext>?
    avformat_alloc_output_context2(&opened, nil, format, file)
    guard let first = frames.first, let context = opened, let stream = avformat_new_stream(context, nil) else {
      return "does not open"
    }
    defer {
      avio_closep(&context.pointee.pb)
      avformat_free_context(context)
      try? FileManager.default.removeItem(atPath: file)
    }
    let parameters = stream.pointee.codecpar!
    parameters.pointee.codec_type = AVMEDIA_TYPE_VIDEO
    parameters.pointee.codec_id = first.codec == .h265 ? AV_CODEC_ID_HEVC : AV_CODEC_ID_H264
    (parameters.pointee.width, parameters.pointee.height) = (Int32(first.width), Int32(first.height))
    // What stands in front of the first slice, parameter sets above all, is in the first record.
    let count = first.payload.byteCount
    let padded = av_mallocz(count + Int(AV_INPUT_BUFFER_PADDING_SIZE))!
    withExtendedLifetime(first.payload) { padded.copyMemory(from: first.payload.bytes.baseAddress!, byteCount: count) }
    parameters.pointee.extradata = padded.assumingMemoryBound(to: UInt8.self)
    parameters.pointee.extradata_size = Int32(count)
    stream.pointee.time_base = AVRational(num: 1, den: 90_000)
    guard avio_open(&context.pointee.pb, file, AVIO_FLAG_WRITE) >= 0, avformat_write_header(context, nil) >= 0 else {
      return "writes no header"
    }
    for (index, frame) in frames.enumerated() {
      let code = write(frame, from: first, to: context, stream.pointee.time_base)
      if code < 0 {
        return "refuses record \(index) of \(frames.count): pts \(frame.pts) dts \(frame.dts ?? frame.pts)"
      }
    }
    return av_write_trailer(context) < 0 ? "writes no trailer" : nil
  }

  private static func write(
    _ frame: Frame, from first: Frame, to context: UnsafeMutablePointer<AVFormatContext>, _ timeBase: AVRational
  ) -> Int32 {
    var packet = av_packet_alloc()
    defer { av_packet_free(&packet) }
    guard let packet, av_new_packet(packet, Int32(frame.payload.byteCount)) >= 0 else { return -1 }
    withExtendedLifetime(frame.payload) {
      packet.pointee.data.update(
        from: frame.payload.bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), count: frame.payload.byteCount)
    }
    let start = first.dts ?? first.pts
    let nanoseconds = AVRational(num: 1, den: 1_000_000_000)
    packet.pointee.pts = av_rescale_q(frame.pts - start, nanoseconds, timeBase)
    packet.pointee.dts = av_rescale_q((frame.dts ?? frame.pts) - start, nanoseconds, timeBase)
    if frame.isKeyframe { packet.pointee.flags |= AV_PKT_FLAG_KEY }
    return av_write_frame(context, packet)
  }
}
