import CFFmpeg
import Frames

// What a keyframe and its parameter sets say of size and order, read by FFmpeg.

/// Size and order of the pictures of a stream.
struct PictureInformation: Equatable {
  var width: Int
  var height: Int
  /// How many pictures may stand between a picture and its turn to be shown; 0 without B-frames, and where an H.264
  /// stream does not say (no bitstream restriction in its VUI).
  var reorderDepth: Int
  /// The time from one frame to the next, nanoseconds; nil where the stream does not say (no timing in its VUI).
  var frameInterval: Int64?

  /// Pictures that stand for themselves.
  init(width: Int, height: Int) { (self.width, self.height, reorderDepth) = (width, height, 0) }

  /// Begins to decode a keyframe with its parameter sets, once a connection and at a change of them: the one way FFmpeg
  /// tells all of this (AVCodecContext.has_b_frames is known once a picture is begun). nil when no decoder would begin it.
  ///
  /// FFmpeg is refused the picture (AVCodecContext.get_buffer2): a header may claim any size, and any number of pictures in
  /// front, which decoders make up (h264_slice.c, h264_field_start).
  init?(keyframe: UnsafeRawBufferPointer, codec: Codec) {
    guard let decoder = avcodec_find_decoder(codec == .h265 ? AV_CODEC_ID_HEVC : AV_CODEC_ID_H264),
      let packet = av_packet_alloc()
    else { return nil }
    var context = avcodec_alloc_context3(decoder)
    var owned: UnsafeMutablePointer<AVPacket>? = packet
    defer {
      av_packet_free(&owned)
      avcodec_free_context(&context)
    }
    context?.pointee.thread_count = 1
    context?.pointee.thread_type = FF_THREAD_SLICE
    // Some tables are as large as the size claims all the same.
    context?.pointee.max_pixels = 8_192 * 8_192
    context?.pointee.get_buffer2 = { context, _, _ in
      context?.pointee.opaque?.assumingMemoryBound(to: Bool.self).pointee = true
      return camgate_averror(ENOMEM)
    }
    // A packet of its own memory: decoders read up to AV_INPUT_BUFFER_PADDING_SIZE bytes beyond the end.
    guard avcodec_open2(context, decoder, nil) >= 0, av_new_packet(packet, Int32(keyframe.count)) >= 0 else {
      return nil
    }
    UnsafeMutableRawBufferPointer(start: packet.pointee.data, count: keyframe.count).copyMemory(from: keyframe)
    var isBegun = false
    withUnsafeMutablePointer(to: &isBegun) { isBegun in
      context?.pointee.opaque = UnsafeMutableRawPointer(isBegun)
      _ = avcodec_send_packet(context, packet)
    }
    guard isBegun, let known = context?.pointee, known.width > 0, known.height > 0 else { return nil }
    (width, height, reorderDepth) = (Int(known.width), Int(known.height), Int(known.has_b_frames))
    let (rate, limits) = (known.framerate, Int64(1_000_000)...10_000_000_000)
    if rate.num > 0, rate.den > 0 {
      let interval = 1_000_000_000 * Int64(rate.den) / Int64(rate.num)
      if limits.contains(interval) { frameInterval = interval }
    }
  }
}
