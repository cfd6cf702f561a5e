import Glibc

// The little of a JPEG that Camgate reads: is it whole, how large, and where it ends (ITU-T T.81, annex B). It is walked from
// marker to marker, so that what looks like an end inside a thumbnail is none, and whatever follows the end is not of it:
// padding, a second end, or the second field of an AVI1 pair.

/// What a JPEG says of itself.
struct JPEGHeader: Equatable {
  /// Size in pixels.
  var width: Int
  var height: Int
  /// Length up to its end (EOI), bytes; what follows it is not counted.
  var byteCount: Int

  /// nil when the bytes do not begin (SOI) and end (EOI) as a JPEG or have no frame header.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 4, bytes[0] == 0xff, bytes[1] == 0xd8 else { return nil }
    var size: (width: Int, height: Int)?
    var index = 2
    while index + 1 < bytes.count {
      switch (bytes[index], bytes[index + 1]) {
      case (0xff, 0xff): index += 1  // a fill byte
      case (0xff, 0xd9):
        guard let size else { return nil }
        (width, height, byteCount) = (size.width, size.height, index + 2)
        return
      case (0xff, 0xd0...0xd8): index += 2  // RST, SOI: nothing belongs to them
      case (0xff, let marker):
        guard let segment = JPEGHeader.segment(in: bytes, at: index) else { return nil }
        if JPEGHeader.isFrameHeader(marker) {
          size = JPEGHeader.size(in: segment)
          if size == nil { return nil }
        }
        index += 2 + segment.count
        guard marker == 0xda else { continue }
        // A scan begins, and a frame header must have been there.
        if size == nil { return nil }
        index = JPEGHeader.endOfScan(in: bytes, from: index)
      default:
        // Bytes between segments, which decoders pass over; but a JPEG does not begin with them.
        if size == nil { return nil }
        index = JPEGHeader.endOfScan(in: bytes, from: index)
      }
    }
    return nil
  }

  /// SOF0 to SOF15: not DHT, JPG, DAC.
  private static func isFrameHeader(_ marker: UInt8) -> Bool {
    (0xc0...0xcf).contains(marker) && ![0xc4, 0xc8, 0xcc].contains(marker)
  }

  /// What follows the marker at `index`: two bytes of length, which count themselves, and the rest; nil beyond the end.
  private static func segment(in bytes: UnsafeRawBufferPointer, at index: Int) -> UnsafeRawBufferPointer? {
    guard index + 3 < bytes.count else { return nil }
    let count = Int(bytes[index + 2]) << 8 | Int(bytes[index + 3])
    guard count >= 2, index + 2 + count <= bytes.count else { return nil }
    return UnsafeRawBufferPointer(rebasing: bytes[(index + 2)..<(index + 2 + count)])
  }

  private static func size(in segment: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
    guard segment.count >= 7 else { return nil }
    let height = Int(segment[3]) << 8 | Int(segment[4])
    let width = Int(segment[5]) << 8 | Int(segment[6])
    return width > 0 && height > 0 ? (width, height) : nil
  }

  /// The first marker from `index` on that ends a scan: not a stuffed zero, a restart, or one that no JPEG has there.
  private static func endOfScan(in bytes: UnsafeRawBufferPointer, from index: Int) -> Int {
    var index = index
    while index < bytes.count, let base = bytes.baseAddress, let found = memchr(base + index, 0xff, bytes.count - index)
    {
      index = UnsafeRawPointer(found) - base
      guard index + 1 < bytes.count else { break }
      switch bytes[index + 1] {
      case 0xc4, 0xd8...0xdd, 0xe0...0xef, 0xfe: return index
      case 0xff: index += 1
      default: index += 2
      }
    }
    return bytes.count
  }
}
