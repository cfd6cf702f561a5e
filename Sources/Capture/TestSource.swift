import CFFmpeg
import Frames
import Posix

// A generated picture, encoded as MJPEG by FFmpeg: for `camgate demo` and as a self-test on a board without cameras.
// 16 squares of 16 x 16 pixels in the top left corner show the frame's number in binary, least bit first, white = 1.

/// One generated camera.
final class TestSource: Source {
  private let width: Int
  private let height: Int
  private let fps: Int
  private let interrupt: Interrupt
  private var encoder: UnsafeMutablePointer<AVCodecContext>?
  private var picture: UnsafeMutablePointer<AVFrame>?
  private var packet = av_packet_alloc()
  private var frameNumber = 0
  private var start = MonotonicTime.now()

  init(width: Int, height: Int, fps: Int, interrupt: Interrupt) {
    (self.width, self.height, self.fps, self.interrupt) = (width, height, fps, interrupt)
  }

  deinit {
    close()
    av_packet_free(&packet)
  }

  func open() throws(CaptureError) -> SourceStream {
    close()
    guard let codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG), let encoder = avcodec_alloc_context3(codec),
      let picture = av_frame_alloc()
    else { throw CaptureError(.unusable, "this build's FFmpeg lacks the MJPEG encoder") }
    (self.encoder, self.picture) = (encoder, picture)
    encoder.pointee.width = Int32(width)
    encoder.pointee.height = Int32(height)
    encoder.pointee.pix_fmt = AV_PIX_FMT_YUVJ420P
    encoder.pointee.color_range = AVCOL_RANGE_JPEG
    encoder.pointee.time_base = AVRational(num: 1, den: Int32(fps))
    encoder.pointee.thread_count = 1
    encoder.pointee.flags |= AV_CODEC_FLAG_QSCALE
    encoder.pointee.global_quality = 5 * FF_QP2LAMBDA
    let code = avcodec_open2(encoder, codec, nil)
    if code < 0 { throw CaptureError(ffmpeg: code, while: "opening the MJPEG encoder", detail: nil) }
    picture.pointee.format = AV_PIX_FMT_YUVJ420P.rawValue
    picture.pointee.width = Int32(width)
    picture.pointee.height = Int32(height)
    picture.pointee.quality = encoder.pointee.global_quality
    if av_frame_get_buffer(picture, 0) < 0 { throw CaptureError(.unusable, "out of memory") }
    start = .now() + .nanoseconds(-Int64(frameNumber) * interval)
    return SourceStream(codec: .mjpeg)
  }

  func read() throws(CaptureError) -> SourcePacket {
    guard let encoder, let picture, let packet else { throw CaptureError(.disconnected, "not open") }
    if !interrupt.sleep(until: start + .nanoseconds(Int64(frameNumber) * interval)) {
      throw CaptureError(.stopped, "stopped")
    }
    var code = av_frame_make_writable(picture)
    if code >= 0 {
      draw(on: picture)
      picture.pointee.pts = Int64(frameNumber)
      code = avcodec_send_frame(encoder, picture)
    }
    if code >= 0 { code = avcodec_receive_packet(encoder, packet) }
    if code < 0 { throw CaptureError(ffmpeg: code, while: "encoding", detail: nil) }
    defer { frameNumber += 1 }
    return SourcePacket(
      payload: Payload(taking: packet), pts: Int64(frameNumber) * interval, dts: nil,
      arrival: .now())
  }

  func close() {
    avcodec_free_context(&encoder)
    av_frame_free(&picture)
  }

  /// Nanoseconds from frame to frame.
  private var interval: Int64 { 1_000_000_000 / Int64(fps) }

  /// A slow gradient, so that the mean pixel moves, and the number in squares on black.
  private func draw(on picture: UnsafeMutablePointer<AVFrame>) {
    let planes = picture.pointee.data
    let strides = picture.pointee.linesize
    guard let luma = planes.0, let blue = planes.1, let red = planes.2 else { return }
    for row in 0..<height {
      let line = luma + row * Int(strides.0)
      for column in 0..<width { line[column] = UInt8(truncatingIfNeeded: (row + column) / 4 + frameNumber) / 2 + 64 }
    }
    for row in 0..<(height + 1) / 2 {
      memset(blue + row * Int(strides.1), Int32(96 + frameNumber % 64), (width + 1) / 2)
      memset(red + row * Int(strides.2), Int32(160 - frameNumber % 64), (width + 1) / 2)
    }
    for row in 0..<min(16, height) {
      for bit in 0..<min(16, width / 16) {
        memset(luma + row * Int(strides.0) + bit * 16, frameNumber >> bit & 1 == 1 ? 255 : 0, 16)
      }
      if row < 8 {
        memset(blue + row * Int(strides.1), 128, min(128, width / 2))
        memset(red + row * Int(strides.2), 128, min(128, width / 2))
      }
    }
  }
}
