import CFFmpeg

// The mean of all channels of a picture, as OpenCV and numpy would compute it of the BGR picture.

/// Computes mean pixels; keeps what libswscale needs from picture to picture. Used by one thread.
package final class MeanPixel {
  private var scaler: OpaquePointer?
  private var pixels: [UInt8] = []

  package init() {}

  deinit { sws_freeContext(scaler) }

  /// The mean of the blue, green and red values of all pixels, 0...255.
  package func mean(of picture: borrowing Picture) throws(ImagingError) -> Double {
    let frame = picture.frame.pointee
    let (format, isFullRange) = MeanPixel.unambiguous(frame.format, frame.color_range)
    // It aborts the process over a format that is none.
    guard sws_isSupportedInput(format) != 0 else { throw ImagingError("converting to BGR", camgate_averror(EINVAL)) }
    // libswscale's own choice where the stream says nothing: ITU-R BT.601.
    scaler = sws_getCachedContext(
      scaler, frame.width, frame.height, format, frame.width, frame.height, AV_PIX_FMT_BGR24,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nil, nil, nil)
    guard let scaler else { throw ImagingError("converting to BGR", camgate_averror(EINVAL)) }
    let coefficients = sws_getCoefficients(SWS_CS_DEFAULT)
    sws_setColorspaceDetails(
      scaler, coefficients, isFullRange ? 1 : 0, coefficients, 1, 0, 1 << 16, 1 << 16)
    let rowBytes = Int(frame.width) * 3
    // libswscale's vector code may write some pixels beyond the end of a row.
    let stride = (rowBytes + 127) & ~63
    let byteCount = stride * Int(frame.height)
    if pixels.count != byteCount { pixels = [UInt8](repeating: 0, count: byteCount) }
    var rowCount: Int32 = 0
    let sum = pixels.withUnsafeMutableBytes { output -> UInt64 in
      withUnsafeBytes(of: frame.data) { planes in
        withUnsafeBytes(of: frame.linesize) { strides in
          let source = planes.bindMemory(to: UnsafePointer<UInt8>?.self)
          var target = output.bindMemory(to: UInt8.self).baseAddress
          var targetStride = Int32(stride)
          rowCount = sws_scale(
            scaler, source.baseAddress, strides.bindMemory(to: Int32.self).baseAddress, 0, frame.height, &target,
            &targetStride)
        }
      }
      return Swift.stride(from: 0, to: byteCount, by: stride).reduce(UInt64(0)) { sum, start in
        sum + MeanPixel.sum(UnsafeRawBufferPointer(rebasing: output[start..<start + rowBytes]))
      }
    }
    guard rowCount == frame.height else { throw ImagingError("converting to BGR", camgate_averror(EINVAL)) }
    return Double(sum) / Double(rowBytes * Int(frame.height))
  }

  /// The sum of `bytes`, eight at a time in four lanes of 16 bits, which hold 128 words: 128 · 2 · 255 < 65,536.
  private static func sum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let (even, wordBytes) = (0x00FF_00FF_00FF_00FF as UInt64, bytes.count & ~7)
    var (sum, index) = (0 as UInt64, 0)
    while index < wordBytes {
      let end = min(index + 128 * 8, wordBytes)
      var lanes: UInt64 = 0
      while index < end {
        let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        lanes &+= (word & even) &+ (word >> 8 & even)
        index += 8
      }
      sum += (lanes & 0xFFFF) + (lanes >> 16 & 0xFFFF) + (lanes >> 32 & 0xFFFF) + (lanes >> 48)
    }
    return bytes[wordBytes...].reduce(sum) { $0 + UInt64($1) }
  }

  /// The deprecated "J" formats as what they mean: full range.
  private static func unambiguous(_ format: Int32, _ range: AVColorRange) -> (AVPixelFormat, Bool) {
    switch AVPixelFormat(format) {
    case AV_PIX_FMT_YUVJ420P: (AV_PIX_FMT_YUV420P, true)
    case AV_PIX_FMT_YUVJ422P: (AV_PIX_FMT_YUV422P, true)
    case AV_PIX_FMT_YUVJ444P: (AV_PIX_FMT_YUV444P, true)
    case AV_PIX_FMT_YUVJ440P: (AV_PIX_FMT_YUV440P, true)
    case let other: (other, range == AVCOL_RANGE_JPEG)
    }
  }
}
