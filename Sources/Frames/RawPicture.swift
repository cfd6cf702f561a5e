// A picture nobody has encoded yet: what cheap cameras and test drivers give.

/// An uncompressed picture in one piece of memory that belongs to somebody else.
package struct RawPicture {
  /// How the samples lie (the kernel's names in small letters, include/uapi/linux/videodev2.h).
  package enum Layout: String, Sendable, CaseIterable {
    /// 4:2:2, packed.
    case yuyv, uyvy
    /// 4:2:0, luma and then chroma pairs (nv12: blue first) or planes (yu12: blue first).
    case nv12, nv21, yu12, yv12
    /// Luma only.
    case grey
    /// Eight bits a channel.
    case rgb24, bgr24

    /// Whether there is no luma and chroma.
    package var isRGB: Bool { self == .rgb24 || self == .bgr24 }

    /// Bytes of the first plane's row without padding.
    package func rowByteCount(width: Int) -> Int {
      switch self {
      case .yuyv, .uyvy: (width + 1) / 2 * 4
      case .nv12, .nv21, .yu12, .yv12, .grey: width
      case .rgb24, .bgr24: width * 3
      }
    }

    /// Bytes of each plane of a picture whose first plane's rows are `bytesPerRow` apart; they follow one another.
    package func planeByteCounts(height: Int, bytesPerRow: Int) -> [Int] {
      let (luma, halfHeight) = (bytesPerRow * height, (height + 1) / 2)
      switch self {
      case .yuyv, .uyvy, .grey, .rgb24, .bgr24: return [luma]
      case .nv12, .nv21: return [luma, bytesPerRow * halfHeight]
      case .yu12, .yv12:
        let chroma = (bytesPerRow + 1) / 2 * halfHeight
        return [luma, chroma, chroma]
      }
    }

    /// Bytes of such a picture.
    package func byteCount(height: Int, bytesPerRow: Int) -> Int {
      planeByteCounts(height: height, bytesPerRow: bytesPerRow).reduce(0, +)
    }
  }

  package var layout: Layout
  package var width: Int
  package var height: Int
  /// From row to row of the first plane; the chroma planes of yu12 and yv12 have half of it.
  package var bytesPerRow: Int
  /// Whether luma and chroma use all of 0...255, as JPEG does, or 16...235 and 16...240.
  package var isFullRange: Bool
  package var bytes: UnsafeRawBufferPointer

  /// nil when `bytes` are fewer than the picture has.
  package init?(
    layout: Layout, width: Int, height: Int, bytesPerRow: Int, isFullRange: Bool, bytes: UnsafeRawBufferPointer
  ) {
    guard (1...16_384).contains(width), (1...16_384).contains(height),
      (layout.rowByteCount(width: width)...1 << 20).contains(bytesPerRow),
      bytes.count >= layout.byteCount(height: height, bytesPerRow: bytesPerRow)
    else { return nil }
    (self.layout, self.width, self.height) = (layout, width, height)
    (self.bytesPerRow, self.isFullRange, self.bytes) = (bytesPerRow, isFullRange, bytes)
  }
}

/// Makes a JPEG of each raw picture. Used by one thread.
package protocol PictureEncoder: AnyObject {
  /// The JPEG; nil when the encoder fails.
  func jpeg(of picture: RawPicture) -> Payload?
}
