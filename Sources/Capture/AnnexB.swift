import Frames

// NAL units in a byte stream (ITU-T H.264 and H.265, Annex B). They are mostly looked at only up to the first slice: the
// parameter sets come before it (H.264, 7.4.1.2.3; H.265, 7.4.2.4.4).

/// A NAL unit inside an access unit.
struct NALUnit {
  /// What Camgate needs to tell apart.
  enum Kind: Int, CaseIterable {
    case videoParameterSet, sequenceParameterSet, pictureParameterSet
    case delimiter, slice, other
  }

  let kind: Kind
  /// Its bytes with the start code.
  let bytes: UnsafeRawBufferPointer
  /// Where it begins in the access unit; zero bytes may stand in front of the first one.
  let offset: Int
}

/// Walks the NAL units of one access unit.
struct NALUnitSequence: Sequence, IteratorProtocol {
  private let codec: Codec
  private let bytes: UnsafeRawBufferPointer
  private var start: Int

  init(_ bytes: UnsafeRawBufferPointer, codec: Codec) {
    (self.bytes, self.codec) = (bytes, codec)
    start = NALUnitSequence.startCode(in: bytes, from: 0) ?? bytes.count
  }

  mutating func next() -> NALUnit? {
    while true {
      var header = start
      while header < bytes.count, bytes[header] == 0 { header += 1 }
      header += 1
      guard header < bytes.count else { return nil }
      let end = NALUnitSequence.startCode(in: bytes, from: header) ?? bytes.count
      defer { start = end }
      // Two start codes in a row: there is no unit between them.
      if end == header { continue }
      return NALUnit(
        kind: NALUnitSequence.kind(of: bytes[header], codec: codec),
        bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end]), offset: start)
    }
  }

  /// The index of the next 00 00 01, or of the zero byte right in front of it.
  private static func startCode(in bytes: UnsafeRawBufferPointer, from first: Int) -> Int? {
    var index = first + 2
    while index < bytes.count {
      // Two bytes out of three are skipped: a start code's last byte is 1, the ones before it are 0.
      if bytes[index] > 1 {
        index += 3
      } else if bytes[index] == 1, bytes[index - 1] == 0, bytes[index - 2] == 0 {
        let code = index - 2
        return code > first && bytes[code - 1] == 0 ? code - 1 : code
      } else {
        index += 1
      }
    }
    return nil
  }

  /// H.264, table 7-1; H.265, table 7-1.
  private static func kind(of header: UInt8, codec: Codec) -> NALUnit.Kind {
    if codec == .h265 {
      switch (header >> 1) & 0x3f {
      case 0...31: return .slice
      case 32: return .videoParameterSet
      case 33: return .sequenceParameterSet
      case 34: return .pictureParameterSet
      case 35: return .delimiter
      default: return .other
      }
    }
    switch header & 0x1f {
    case 1...5: return .slice
    case 7: return .sequenceParameterSet
    case 8: return .pictureParameterSet
    case 9: return .delimiter
    default: return .other
    }
  }
}
