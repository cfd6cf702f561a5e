import CFFmpeg
import Frames

// Decoded pictures as JPEG.

extension JPEGEncoder {
  /// The JPEG of a decoded picture; nil when it cannot be made. libswscale brings whatever the decoder gave to 4:2:0 and
  /// to JPEG's range.
  package func jpeg(of picture: borrowing Picture) -> Payload? {
    let frame = picture.frame.pointee
    let (width, height) = (picture.width, picture.height)
    guard
      let scaler = sws_getContext(
        frame.width, frame.height, AVPixelFormat(frame.format), frame.width, frame.height, AV_PIX_FMT_YUV420P,
        SWS_BICUBIC,
        nil, nil, nil)
    else { return nil }
    defer { sws_freeContext(scaler) }
    let coefficients = sws_getCoefficients(SWS_CS_DEFAULT)
    let isFullRange = frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P.rawValue
    // Fails for formats that have no range, as grey and RGB.
    _ = sws_setColorspaceDetails(scaler, coefficients, isFullRange ? 1 : 0, coefficients, 1, 0, 1 << 16, 1 << 16)
    // Rows of 64 bytes at least: libswscale's vector code may write beyond the end of a row.
    let row = (width + 127) & ~63
    let layout = RawPicture.Layout.yu12
    let byteCount = layout.byteCount(height: height, bytesPerRow: row)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount + 64, alignment: 64)
    defer { memory.deallocate() }
    guard let luma = memory.bindMemory(to: UInt8.self).baseAddress else { return nil }
    let halfHeight = (height + 1) / 2
    var targets: [UnsafeMutablePointer<UInt8>?] = [
      luma, luma + row * height, luma + row * height + row / 2 * halfHeight, nil,
    ]
    var strides = [Int32(row), Int32(row / 2), Int32(row / 2), 0]
    let count = withUnsafeBytes(of: frame.data) { planes in
      withUnsafeBytes(of: frame.linesize) { sourceStrides in
        sws_scale(
          scaler, planes.bindMemory(to: UnsafePointer<UInt8>?.self).baseAddress,
          sourceStrides.bindMemory(to: Int32.self).baseAddress, 0, frame.height, &targets, &strides)
      }
    }
    guard count == frame.height else { return nil }
    return RawPicture(
      layout: layout, width: width, height: height, bytesPerRow: row, isFullRange: true,
      bytes: UnsafeRawBufferPointer(memory)
    ).flatMap { jpeg(of: $0) }
  }
}
