// The little of a JPEG that Camgate reads: is it whole, and how large (ITU-T T.81, annex B).

enum JPEGHeader {
  /// Width and height from the frame header; nil when the bytes do not begin (SOI) and end (EOI) as a JPEG or have no
  /// frame header.
  static func pictureSize(of bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
    guard bytes.count > 4, bytes[0] == 0xff, bytes[1] == 0xd8, endsWithEOI(bytes) else { return nil }
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

  /// Cameras pad the end with zeros or repeat a byte; the last few bytes are looked at.
  private static func endsWithEOI(_ bytes: UnsafeRawBufferPointer) -> Bool {
    for index in stride(from: bytes.count - 2, through: max(2, bytes.count - 64), by: -1)
    where bytes[index] == 0xff && bytes[index + 1] == 0xd9 {
      return true
    }
    return false
  }
}
