import Frames
import Testing

@testable import Capture

@Suite struct AnnexBTests {
  @Test func startCodesOfThreeAndFourBytes() {
    let bytes: [UInt8] = [0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 1, 0x65, 3]
    let found = units(bytes, .h264)
    #expect(found.map(\.kind) == [.sequenceParameterSet, .pictureParameterSet, .slice])
    #expect(found.map(\.bytes) == [[0, 0, 1, 0x67, 1], [0, 0, 0, 1, 0x68, 2], [0, 0, 1, 0x65, 3]])
  }

  @Test func trailingZerosStayWithTheUnitInFront() {
    let found = units([0, 0, 1, 0x67, 1, 0, 0, 0, 0, 0, 1, 0x68], .h264)
    #expect(found.map(\.bytes) == [[0, 0, 1, 0x67, 1, 0, 0], [0, 0, 0, 1, 0x68]])
  }

  @Test(
    arguments: [
      [], [0], [0, 0], [0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0, 0, 0], [1], [1, 1, 1, 1], [0, 1, 0, 1],
      [0xff, 0xd8, 0xff],
      [0, 0, 0, 5, 0x65, 1, 2, 3, 4],  // length-prefixed: no start code
      [0, 0, 2, 0x67], [0, 0, 3, 1, 0x67], [0, 0, 1, 0, 0, 1], [0, 0, 1, 0, 0, 0, 1], [0, 0, 1, 0, 0, 1, 0, 0, 1],
    ] as [[UInt8]])
  func withoutUnits(_ bytes: [UInt8]) {
    #expect(units(bytes, .h264).isEmpty)
    #expect(units(bytes, .h265).isEmpty)
  }

  /// In H.265 the zero of the second start code would read as a slice's header, and end the search for parameter sets.
  @Test(arguments: [[0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 0, 0, 0, 1]] as [[UInt8]])
  func anEmptyUnitIsNone(_ empty: [UInt8]) {
    #expect(units(empty + NAL.vps5(1), .h265).map(\.kind) == [.videoParameterSet])
    #expect(units(empty + NAL.sps(1), .h264).map(\.kind) == [.sequenceParameterSet])
  }

  @Test func everyHeaderByte() {
    for header in UInt8.min...UInt8.max {
      let h264: NALUnit.Kind =
        switch header % 32 {
        case 1, 2, 3, 4, 5: .slice
        case 7: .sequenceParameterSet
        case 8: .pictureParameterSet
        case 9: .delimiter
        default: .other
        }
      let h265: NALUnit.Kind =
        switch header / 2 % 64 {
        case ..<32: .slice
        case 32: .videoParameterSet
        case 33: .sequenceParameterSet
        case 34: .pictureParameterSet
        case 35: .delimiter
        default: .other
        }
      #expect(units([0, 0, 1, header, 9], .h264).map(\.kind) == [h264])
      #expect(units([0, 0, 1, header, 9], .h265).map(\.kind) == [h265])
    }
  }

  /// The definition, without skipping: a unit begins at 00 00 01 or the zero in front of it, and ends at the next one.
  private func naiveUnits(_ bytes: [UInt8]) -> [[UInt8]] {
    let codes = bytes.indices.dropLast(2).filter { bytes[$0] == 0 && bytes[$0 + 1] == 0 && bytes[$0 + 2] == 1 }
    let starts = codes.map { $0 > 0 && bytes[$0 - 1] == 0 ? $0 - 1 : $0 } + [bytes.count]
    return codes.indices.compactMap { index in
      let (header, end) = (codes[index] + 3, starts[index + 1])
      return header < end ? Array(bytes[starts[index]..<end]) : nil
    }
  }

  @Test func agreesWithTheDefinition() {
    var generator = SeededGenerator(seed: 1)
    for round in 0..<20_000 {
      // Mostly zeros and ones, so that nearly everything is almost a start code.
      let bytes = (0..<Int.random(in: 0...24, using: &generator)).map { _ -> UInt8 in
        [0, 0, 0, 0, 1, 1, 2, 0x67, 0x65].randomElement(using: &generator) ?? 0
      }
      for codec in [Codec.h264, .h265] where units(bytes, codec).map(\.bytes) != naiveUnits(bytes) {
        Issue.record("round \(round): \(bytes) gives \(units(bytes, codec)), not \(naiveUnits(bytes))")
        return
      }
    }
  }

  @Test func offsetsAreThoseOfTheUnits() {
    let bytes = [0, 0, 0] + NAL.sps(1) + [0, 0, 1, 0, 0, 1, 0x65, 7]
    bytes.withUnsafeBytes { buffer in
      for unit in NALUnitSequence(buffer, codec: .h264) {
        #expect(Array(buffer[unit.offset..<(unit.offset + unit.bytes.count)]) == Array(unit.bytes))
      }
    }
    #expect(units(bytes, .h264).count == 2)
  }
}
