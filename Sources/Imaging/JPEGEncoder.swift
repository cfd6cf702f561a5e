import CTurboJPEG
import Frames
import Posix

// JPEG by libturbojpeg, straight from luma and chroma: no detour through RGB. JPEG uses all of 0...255; cameras mostly
// do not, so their samples are spread on the way.

/// Makes JPEGs. Used by one thread: a tjhandle is not for two.
package final class JPEGEncoder: PictureEncoder {
  /// 1...100, libjpeg's scale.
  package static let usualQuality = 85

  private let handle: tjhandle
  private let quality: Int32
  /// Kept from picture to picture: the planes, and the JPEG in the library's own memory.
  private var planes: [[UInt8]] = [[], [], []]
  private var output: UnsafeMutablePointer<UInt8>?
  private var capacity: UInt = 0

  /// nil when there is no memory.
  package init?(quality: Int = JPEGEncoder.usualQuality) {
    guard let handle = tjInitCompress() else { return nil }
    (self.handle, self.quality) = (handle, Int32(quality))
  }

  deinit {
    tjFree(output)
    tjDestroy(handle)
  }

  package func jpeg(of picture: RawPicture) -> Payload? {
    if picture.layout.isRGB { return jpeg(ofRGB: picture) }
    let subsampling = split(picture)
    return planes[0].withUnsafeBufferPointer { luma in
      planes[1].withUnsafeBufferPointer { blue in
        planes[2].withUnsafeBufferPointer { red in
          // turbojpeg.h: a row of a plane is tjPlaneWidth() bytes where the stride is 0.
          var sources = [luma.baseAddress, blue.baseAddress, red.baseAddress]
          return compressed {
            tjCompressFromYUVPlanes(
              handle, &sources, Int32(picture.width), nil, Int32(picture.height), subsampling, &output, &$0, quality, 0)
          }
        }
      }
    }
  }

  private func jpeg(ofRGB picture: RawPicture) -> Payload? {
    let format = picture.layout == .rgb24 ? TJPF_RGB : TJPF_BGR
    let source = picture.bytes.bindMemory(to: UInt8.self).baseAddress
    return compressed {
      tjCompress2(
        handle, source, Int32(picture.width), Int32(picture.bytesPerRow), Int32(picture.height),
        format.rawValue, &output, &$0, Int32(bitPattern: TJSAMP_420.rawValue), quality, 0)
    }
  }

  /// Runs `compress`, which grows `output` as it needs, and copies the JPEG out of it.
  private func compressed(_ compress: (inout UInt) -> Int32) -> Payload? {
    var byteCount = capacity
    let code = compress(&byteCount)
    // After a call the size is that of the JPEG; the memory is at least as large.
    capacity = max(capacity, byteCount)
    guard code == 0, let output else { return nil }
    return Payload(joining: [UnsafeRawBufferPointer(start: output, count: Int(byteCount))])
  }

  /// Fills `planes` and says how they are subsampled (enum TJSAMP).
  private func split(_ picture: RawPicture) -> Int32 {
    let (luma, chroma) = picture.isFullRange ? (SampleTable.identity, SampleTable.identity) : (.luma, .chroma)
    let (width, height) = (picture.width, picture.height)
    let (halfWidth, halfHeight) = ((width + 1) / 2, (height + 1) / 2)
    let row = picture.bytesPerRow
    let hasChroma = picture.layout != .grey
    let hasHalfHeight = hasChroma && picture.layout != .yuyv && picture.layout != .uyvy
    func copy(_ plane: Int, _ table: SampleTable, width: Int, height: Int, from: Int, step: Int, bytesPerRow: Int) {
      table.copy(
        picture.bytes, from: from, step: step, bytesPerRow: bytesPerRow, width: width, height: height,
        paddedWidth: plane == 0 && hasChroma ? 2 * halfWidth : width,
        paddedHeight: plane == 0 && hasHalfHeight ? 2 * halfHeight : height, into: &planes[plane])
    }
    switch picture.layout {
    case .yuyv, .uyvy:
      let first = picture.layout == .yuyv ? 0 : 1
      copy(0, luma, width: width, height: height, from: first, step: 2, bytesPerRow: row)
      copy(1, chroma, width: halfWidth, height: height, from: 1 - first, step: 4, bytesPerRow: row)
      copy(2, chroma, width: halfWidth, height: height, from: 3 - first, step: 4, bytesPerRow: row)
      return Int32(bitPattern: TJSAMP_422.rawValue)
    case .nv12, .nv21:
      let blue = picture.layout == .nv12 ? 0 : 1
      let start = row * height
      copy(0, luma, width: width, height: height, from: 0, step: 1, bytesPerRow: row)
      copy(1, chroma, width: halfWidth, height: halfHeight, from: start + blue, step: 2, bytesPerRow: row)
      copy(2, chroma, width: halfWidth, height: halfHeight, from: start + 1 - blue, step: 2, bytesPerRow: row)
    case .yu12, .yv12:
      let (chromaRow, start) = ((row + 1) / 2, row * height)
      let (first, second) = picture.layout == .yu12 ? (1, 2) : (2, 1)
      copy(0, luma, width: width, height: height, from: 0, step: 1, bytesPerRow: row)
      copy(first, chroma, width: halfWidth, height: halfHeight, from: start, step: 1, bytesPerRow: chromaRow)
      copy(
        second, chroma, width: halfWidth, height: halfHeight, from: start + chromaRow * halfHeight, step: 1,
        bytesPerRow: chromaRow)
    case .grey, .rgb24, .bgr24:
      copy(0, luma, width: width, height: height, from: 0, step: 1, bytesPerRow: row)
      return Int32(bitPattern: TJSAMP_GRAY.rawValue)
    }
    return Int32(bitPattern: TJSAMP_420.rawValue)
  }
}

/// What becomes of each value of a sample.
private struct SampleTable {
  let values: [UInt8]

  static let identity = SampleTable(values: Array(0...255))
  /// 16...235 to 0...255 (ITU-R BT.601).
  static let luma = SampleTable(spreading: 219, around: 16, onto: 0)
  /// 16...240 to 0...255, 128 stays.
  static let chroma = SampleTable(spreading: 224, around: 128, onto: 128)

  private init(values: [UInt8]) { self.values = values }

  private init(spreading range: Int, around center: Int, onto target: Int) {
    values = (0...255).map { value in
      let scaled = (value - center) * 255 * 2
      return UInt8(clamping: target + (scaled + (scaled < 0 ? -range : range)) / (2 * range))
    }
  }

  /// Copies one plane: every `step`-th byte of each row. turbojpeg.h (tjPlaneWidth, tjPlaneHeight): a plane of luma must
  /// be as wide and high as its chroma says, so the last column and row are repeated up to `paddedWidth` and
  /// `paddedHeight`.
  func copy(
    _ source: UnsafeRawBufferPointer, from first: Int, step: Int, bytesPerRow: Int, width: Int, height: Int,
    paddedWidth: Int, paddedHeight: Int, into plane: inout [UInt8]
  ) {
    if plane.count != paddedWidth * paddedHeight { plane = [UInt8](repeating: 0, count: paddedWidth * paddedHeight) }
    plane.withUnsafeMutableBufferPointer { plane in
      values.withUnsafeBufferPointer { values in
        for row in 0..<paddedHeight {
          var (from, to) = (first + min(row, height - 1) * bytesPerRow, row * paddedWidth)
          for _ in 0..<width {
            plane[to] = values[Int(source[from])]
            from += step
            to += 1
          }
          for column in width..<paddedWidth { plane[row * paddedWidth + column] = plane[to - 1] }
        }
      }
    }
  }
}
