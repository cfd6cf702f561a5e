import CFFmpeg
import Frames

/// What FFmpeg makes of a camera's records when it is started at each of them, compared with what it makes of all of them:
/// decoding may begin at a record if and only if its pictures from there on are the same.
struct DecodingOracle {
  private let codec: Codec
  private let frames: [Frame]
  /// The pictures of the whole stream by the record they were made of.
  private let whole: [Int: [UInt8]]

  /// How many records after a beginning are looked at: a reordered picture comes within a few, and what is not whole shows
  /// in the next ones.
  private static let span = 12

  init(_ codec: Codec, _ frames: [Frame]) {
    (self.codec, self.frames) = (codec, frames)
    whole = DecodingOracle.pictures(of: codec, frames, Array(frames.indices))
  }

  /// What contradicts the flags, record by record; the last few cannot be judged.
  var complaints: [String] {
    frames.indices.dropLast(DecodingOracle.span).compactMap { start in
      let frame = frames[start]
      let text = "record \(start) (keyframe \(frame.isKeyframe), recovery \(frame.recovery))"
      if !frame.isKeyframe {
        return wholeFrom(start) == start ? text + " is whole where decoding begins at it" : nil
      }
      let end = start + frame.recovery + DecodingOracle.span
      guard end < frames.count else { return nil }
      guard let first = wholeFrom(start) else { return text + " is never whole" }
      return frame.recovery == 0
        ? (first == start ? nil : text + " is whole from \(first) on only")
        : (first <= start + frame.recovery ? nil : text + " is whole from \(first) on only")
    }
  }

  /// The record from which on, in decoding order, all pictures are whole when decoding begins at `start`; nil when none is.
  func wholeFrom(_ start: Int) -> Int? {
    let end = min(frames.count, start + frames[start].recovery + DecodingOracle.span)
    var used = [start]
    var isLeading = frames[start].isKeyframe
    for index in (start + 1)..<max(end, start + 1) {
      if frames[index].isKeyframe { isLeading = false }
      if !(isLeading && frames[index].isLeading) { used.append(index) }
    }
    let pictures = DecodingOracle.pictures(of: codec, frames, used)
    let first = used.lastIndex { pictures[$0] == nil || pictures[$0] != whole[$0] }.map { $0 + 1 } ?? 0
    return first < used.count ? used[first] : nil
  }

  /// Decodes some of the records, and hands out also what FFmpeg holds to be damaged.
  private static func pictures(of codec: Codec, _ frames: [Frame], _ used: [Int]) -> [Int: [UInt8]] {
    var context = avcodec_alloc_context3(avcodec_find_decoder(codec == .h265 ? AV_CODEC_ID_HEVC : AV_CODEC_ID_H264))
    var (packet, picture) = (av_packet_alloc(), av_frame_alloc())
    defer {
      avcodec_free_context(&context)
      av_packet_free(&packet)
      av_frame_free(&picture)
    }
    guard let context, let packet, let picture else { return [:] }
    context.pointee.thread_count = 1
    context.pointee.flags |= Int32(AV_CODEC_FLAG_OUTPUT_CORRUPT)
    avcodec_open2(context, nil, nil)
    var result: [Int: [UInt8]] = [:]
    func receive() {
      while avcodec_receive_frame(context, picture) >= 0 {
        result[Int(picture.pointee.pts)] = bytes(of: picture)
        av_frame_unref(picture)
      }
    }
    for index in used {
      let payload = frames[index].payload
      av_new_packet(packet, Int32(payload.byteCount))
      UnsafeMutableRawBufferPointer(start: packet.pointee.data, count: payload.byteCount).copyMemory(
        from: payload.bytes)
      packet.pointee.pts = Int64(index)
      avcodec_send_packet(context, packet)
      av_packet_unref(packet)
      receive()
    }
    avcodec_send_packet(context, nil)
    receive()
    return result
  }

  private static func bytes(of picture: UnsafeMutablePointer<AVFrame>) -> [UInt8] {
    let format = AVPixelFormat(rawValue: picture.pointee.format)
    let (width, height) = (picture.pointee.width, picture.pointee.height)
    let count = av_image_get_buffer_size(format, width, height, 1)
    return withUnsafeBytes(of: &picture.pointee.data) { data in
      withUnsafeBytes(of: &picture.pointee.linesize) { sizes in
        var result = [UInt8](repeating: 0, count: Int(max(0, count)))
        av_image_copy_to_buffer(
          &result, count, data.bindMemory(to: UnsafePointer<UInt8>?.self).baseAddress,
          sizes.bindMemory(to: Int32.self).baseAddress, format, width, height, 1)
        return result
      }
    }
  }
}
