// The little of a JPEG that Camgate reads: is it whole, how large, and where it ends (ITU-T T.81, annex B).

/// What a JPEG says of itself.
struct JPEGHeader: Equatable {
  /// Size in pixels.
  var width: Int
  var height: Int
  /// Length up to its end (EOI), bytes; what cameras pad behind it is not counted.
  var byteCount: Int

  /// nil when the bytes do not begin (SOI) and end (EOI) as a JPEG or have no frame header.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 4, bytes[0] == 0xff, bytes[1] == 0xd8, let end = JPEGHeader.end(of: bytes),
      let size = JPEGHeader.pictureSize(of: bytes)
    else { return nil }
    (width, height, byteCount) = (size.width, size.height, end)
  }

  private static func pictureSize(of bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
    var index = 2
    while index + 9 < bytes.count, bytes[index] == 0xff {
      let marker = bytes[index + 1]
      if marker == 0xff {  // a fill byte
        index += 1
        continue
      }
      let length = Int(bytes[index + 2]) << 8 | Int(bytes[index + 3])
      switch marker {
      case 0xc0...0xcf where marker != 0xc4 && marker != 0xc8 && marker != 0xcc:  // SOF: not DHT, JPG, DAC
        let height = Int(bytes[index + 5]) << 8 | Int(bytes[index + 6])
        let width = Int(bytes[index + 7]) << 8 | Int(bytes[index + 8])
        return width > 0 && height > 0 ? (width, height) : nil
      case 0xda: return nil  // the scan begins, and no frame header was there
      default: index += 2 + length
      }
    }
    return nil
  }

  /// Cameras and depacketisers pad the end with zeros or give EOI twice; in the last bytes only the first EOI counts.
  private static func end(of bytes: UnsafeRawBufferPointer) -> Int? {
    let count = (bytes.lastIndex { $0 != 0 } ?? -1) + 1
    for index in max(2, count - 64)..<max(2, count - 1)
    where bytes[index] == 0xff && bytes[index + 1] == 0xd9 {
      return index + 2
    }
    return nil
  }
}
