import CFFmpeg
import Frames
import Posix

// Decoding in software. Hardware families come behind the same shape.

/// A picture could not be decoded.
package struct ImagingError: Error, Sendable, Equatable {
  /// What failed, with FFmpeg's reason.
  package var message: String

  init(_ action: String, _ code: Int32) {
    var buffer = [CChar](repeating: 0, count: 128)
    av_strerror(code, &buffer, buffer.count)
    message = "\(action): \(text(of: buffer))"
  }
}

/// A decoded picture; valid until the call that lent it returns.
package struct Picture: ~Copyable {
  let frame: UnsafeMutablePointer<AVFrame>

  /// Size in pixels.
  package var width: Int { Int(frame.pointee.width) }
  package var height: Int { Int(frame.pointee.height) }
}

/// Decodes the access units of one camera in their order. Used by one thread.
package final class SoftwareDecoder {
  private var context: UnsafeMutablePointer<AVCodecContext>?
  private var frame = av_frame_alloc()
  private var packet = av_packet_alloc()

  /// One thread, so that pictures come as early as the stream allows.
  package init(codec: Codec) throws(ImagingError) {
    let id =
      switch codec {
      case .h264: AV_CODEC_ID_H264
      case .h265: AV_CODEC_ID_HEVC
      case .mjpeg: AV_CODEC_ID_MJPEG
      }
    guard let decoder = avcodec_find_decoder(id) else { throw ImagingError("no decoder", camgate_averror_eof) }
    context = avcodec_alloc_context3(decoder)
    context?.pointee.thread_count = 1
    context?.pointee.max_pixels = largestPicture
    let code = avcodec_open2(context, decoder, nil)
    if code < 0 { throw ImagingError("opening the \(codec) decoder", code) }
  }

  deinit {
    avcodec_free_context(&context)
    av_frame_free(&frame)
    av_packet_free(&packet)
  }

  /// Decodes one access unit and lends every picture that comes out, in presentation order, with the tag of the access
  /// unit it was made of. With reordering pictures come later than their access unit.
  package func decode(
    _ bytes: UnsafeRawBufferPointer, tag: Int64, _ body: (borrowing Picture, _ tag: Int64) -> Void
  ) throws(ImagingError) {
    guard let packet else { throw ImagingError("decoding", camgate_averror(ENOMEM)) }
    // A packet of its own memory: decoders read up to AV_INPUT_BUFFER_PADDING_SIZE bytes beyond the end.
    var code = av_new_packet(packet, Int32(bytes.count))
    if code < 0 { throw ImagingError("decoding", code) }
    defer { av_packet_unref(packet) }
    UnsafeMutableRawBufferPointer(start: packet.pointee.data, count: bytes.count).copyMemory(from: bytes)
    packet.pointee.pts = tag
    code = avcodec_send_packet(context, packet)
    if code < 0 { throw ImagingError("decoding", code) }
    try receive(body)
  }

  /// Lends the pictures that were still held back. Afterwards decoding can only begin at a keyframe.
  package func drain(_ body: (borrowing Picture, _ tag: Int64) -> Void) throws(ImagingError) {
    avcodec_send_packet(context, nil)
    // Also after an error: a decoder that is being drained takes nothing new.
    defer { avcodec_flush_buffers(context) }
    try receive(body)
  }

  private func receive(_ body: (borrowing Picture, Int64) -> Void) throws(ImagingError) {
    guard let frame else { return }
    while true {
      let code = avcodec_receive_frame(context, frame)
      if code == camgate_averror(EAGAIN) || code == camgate_averror_eof { return }
      if code < 0 { throw ImagingError("decoding", code) }
      // Not best_effort_timestamp: tags are in decoding order, from which it would guess another order.
      body(Picture(frame: frame), frame.pointee.pts)
      av_frame_unref(frame)
    }
  }
}

/// Pixels of the largest picture that is decoded: a header may claim any size, and memory is taken for it.
let largestPicture: Int64 = 8_192 * 8_192

/// Keeps FFmpeg from writing to standard error, for programs that only decode: a broken picture is reported as an error.
package func silenceFFmpeg() { av_log_set_level(AV_LOG_QUIET) }
