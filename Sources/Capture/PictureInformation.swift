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

  /// Decodes a keyframe with its parameter sets, once a connection and at a change of them: the one way FFmpeg tells all
  /// of this (AVCodecContext.has_b_frames is known once a picture was begun). nil when it cannot be decoded.
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
    // A header may claim any size, and memory is taken for it.
    context?.pointee.max_pixels = 8_192 * 8_192
    // A packet of its own memory: decoders read up to AV_INPUT_BUFFER_PADDING_SIZE bytes beyond the end.
    guard avcodec_open2(context, decoder, nil) >= 0, av_new_packet(packet, Int32(keyframe.count)) >= 0 else {
      return nil
    }
    UnsafeMutableRawBufferPointer(start: packet.pointee.data, count: keyframe.count).copyMemory(from: keyframe)
    guard avcodec_send_packet(context, packet) >= 0, let known = context?.pointee, known.width > 0, known.height > 0
    else { return nil }
    (width, height, reorderDepth) = (Int(known.width), Int(known.height), Int(known.has_b_frames))
    let (rate, limits) = (known.framerate, Int64(1_000_000)...10_000_000_000)
    if rate.num > 0, rate.den > 0 {
      let interval = 1_000_000_000 * Int64(rate.den) / Int64(rate.num)
      if limits.contains(interval) { frameInterval = interval }
    }
  }
}
