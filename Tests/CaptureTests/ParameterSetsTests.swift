import Frames
import Testing

@testable import Capture

@Suite struct ParameterSetsTests {
  private func sets(_ codec: Codec, _ outOfBand: [UInt8] = []) -> ParameterSets {
    outOfBand.withUnsafeBytes { ParameterSets(codec: codec, outOfBand: $0) }
  }

  /// What leaves: nil when it cannot be decoded.
  private func complete(_ sets: inout ParameterSets, _ keyframe: [UInt8]) -> (bytes: [UInt8]?, changed: Bool) {
    keyframe.withUnsafeBytes { buffer in
      let (result, changed) = sets.complete(buffer)
      switch result {
      case .asItIs: return (Array(buffer), changed)
      case .with(let payload): return (payload.array, changed)
      case .undecodable: return (nil, changed)
      }
    }
  }

  @Test func h264FromTheSessionDescription() {
    var sets = sets(.h264, NAL.stream(NAL.sps(1), NAL.pps(2)))
    let (bytes, changed) = complete(&sets, NAL.idr(3))
    #expect(bytes == NAL.stream(NAL.sps(1), NAL.pps(2), NAL.idr(3)))
    #expect(!changed)
  }

  @Test func h264InBand() {
    var sets = sets(.h264)
    let whole = NAL.stream(NAL.delimiter, NAL.sps(1), NAL.pps(2), NAL.sei(9), NAL.idr(3))
    #expect(complete(&sets, whole) == (whole, true))
    #expect(complete(&sets, whole) == (whole, false))
    // The next keyframe comes without: it gets the last ones, behind its delimiter.
    #expect(
      complete(&sets, NAL.stream(NAL.delimiter, NAL.sei(8), NAL.idr(4)))
        == (NAL.stream(NAL.delimiter, NAL.sps(1), NAL.pps(2), NAL.sei(8), NAL.idr(4)), false))
  }

  @Test func h264WithoutAny() {
    var sets = sets(.h264)
    #expect(complete(&sets, NAL.idr(1)) == (nil, false))
    #expect(complete(&sets, NAL.stream(NAL.sps(1), NAL.idr(1))) == (nil, true), "no picture parameter set")
    // What the undecodable one brought is known from then on.
    #expect(
      complete(&sets, NAL.stream(NAL.pps(2), NAL.idr(1))).bytes
        == NAL.stream(NAL.sps(1), NAL.pps(2), NAL.pps(2), NAL.idr(1)))
    #expect(complete(&sets, []) == (NAL.stream(NAL.sps(1), NAL.pps(2)), false))
  }

  @Test func h264Change() {
    var sets = sets(.h264, NAL.stream(NAL.sps(1), NAL.pps(2)))
    let whole = NAL.stream(NAL.sps(7), NAL.pps(2), NAL.idr(3))
    #expect(complete(&sets, whole) == (whole, true))
    #expect(complete(&sets, NAL.idr(4)) == (NAL.stream(NAL.sps(7), NAL.pps(2), NAL.idr(4)), false))
  }

  /// As FFmpeg has it once it begins to decode.
  @Test(arguments: ["h264.h264", "cropped.h264", "cropped.h265"])
  func theSizeIsKnownBeforeAPicture(_ name: String) throws {
    let (bytes, codec) = (try Clips.bytes(name), name.hasSuffix("h265") ? Codec.h265 : .h264)
    let picture = try #require(bytes.withUnsafeBytes { PictureInformation(keyframe: $0, codec: codec) })
    #expect(SourceStream(codec: codec, parameterSets: bytes).announcedSize == "\(picture.width)x\(picture.height)")
    for count in 0..<40 { _ = SourceStream(codec: codec, parameterSets: Array(bytes.prefix(count))).announcedSize }
  }

  @Test func severalSetsOfAKindAreKept() {
    let three = NAL.stream(NAL.sps(1), NAL.pps(2), NAL.pps(3, 1))
    var sets = sets(.h264, three)
    #expect(complete(&sets, NAL.idr(4)).bytes == three + NAL.idr(4))
    // One of them in the stream replaces that one, and the other may still be needed.
    let (bytes, changed) = complete(&sets, NAL.stream(NAL.sps(1), NAL.pps(5), NAL.idr(6)))
    let all = NAL.stream(NAL.sps(1), NAL.pps(5), NAL.pps(3, 1))
    #expect(bytes == NAL.stream(all, NAL.sps(1), NAL.pps(5), NAL.idr(6)))
    #expect(changed)
    #expect(complete(&sets, NAL.stream(all, NAL.idr(7))) == (NAL.stream(all, NAL.idr(7)), false))
  }

  /// A stale picture parameter set would make a decoder refuse what it could decode.
  @Test func whatBelongsToAnotherSequenceIsForgotten() {
    var sets = sets(.h264, NAL.stream(NAL.sps(1), NAL.pps(2), NAL.pps(3, 1)))
    let whole = NAL.stream(NAL.sps(7), NAL.pps(8), NAL.idr(9))
    #expect(complete(&sets, whole) == (whole, true))
    #expect(complete(&sets, NAL.idr(4)).bytes == NAL.stream(NAL.sps(7), NAL.pps(8), NAL.idr(4)))
    // Without picture parameter sets of its own the old ones are all there is.
    var kept = self.sets(.h264, NAL.stream(NAL.sps(1), NAL.pps(2)))
    #expect(
      complete(&kept, NAL.stream(NAL.sps(7), NAL.idr(9))).bytes
        == NAL.stream(NAL.sps(7), NAL.pps(2), NAL.sps(7), NAL.idr(9)))
  }

  @Test func numbers() {
    for number in 0...2 {
      for (bytes, codec) in [
        (NAL.sps(9, number), Codec.h264), (NAL.pps(9, number), .h264), (NAL.vps5(9, number), .h265),
        (NAL.sps5(9, number), .h265), (NAL.sps5(9, number, layers: 3), .h265), (NAL.pps5(9, number), .h265),
      ] {
        bytes.withUnsafeBytes { buffer in
          for unit in NALUnitSequence(buffer, codec: codec) {
            #expect(ParameterSetNumber.number(of: unit, codec: codec) == number, "\(bytes)")
          }
        }
      }
    }
  }

  @Test func memoryIsBounded() {
    var sets = sets(.h264)
    let large = NAL.sps(1) + [UInt8](repeating: 0xff, count: 70_000)
    _ = complete(&sets, NAL.stream(large, NAL.pps(2), NAL.idr(3)))
    #expect(complete(&sets, NAL.idr(4)).bytes == nil, "a parameter set of 70 kB is none")
  }

  @Test func whatStandsBehindTheFirstSliceIsNotTaken() {
    var sets = sets(.h264, NAL.stream(NAL.sps(1), NAL.pps(2)))
    #expect(complete(&sets, NAL.stream(NAL.idr(3), NAL.sps(7), NAL.pps(8))).changed == false)
    #expect(complete(&sets, NAL.idr(4)).bytes == NAL.stream(NAL.sps(1), NAL.pps(2), NAL.idr(4)))
  }

  /// Zero bytes may stand in front of the first start code (Annex B, leading_zero_8bits).
  @Test(arguments: 0...3) func leadingZerosDoNotTearTheDelimiter(_ count: Int) {
    var sets = sets(.h264, NAL.stream(NAL.sps(1), NAL.pps(2)))
    let zeros = [UInt8](repeating: 0, count: count)
    #expect(
      complete(&sets, NAL.stream(zeros, NAL.delimiter, NAL.idr(3))).bytes
        == NAL.stream(zeros, NAL.delimiter, NAL.sps(1), NAL.pps(2), NAL.idr(3)))
  }

  @Test func h265() {
    let outOfBand = NAL.stream(NAL.vps5(1), NAL.sps5(2), NAL.pps5(3))
    var sets = sets(.h265, outOfBand)
    #expect(
      complete(&sets, NAL.stream(NAL.delimiter5, NAL.idr5(4))) == (
        NAL.stream(NAL.delimiter5, outOfBand, NAL.idr5(4)), false
      ))
    let whole = NAL.stream(NAL.vps5(1), NAL.sps5(2), NAL.pps5(9), NAL.idr5(5))
    #expect(complete(&sets, whole) == (whole, true))
    #expect(complete(&sets, NAL.idr5(6)).bytes == NAL.stream(NAL.vps5(1), NAL.sps5(2), NAL.pps5(9), NAL.idr5(6)))
    // An order of one's own is put right: VPS, SPS, PPS.
    var reversed = self.sets(.h265, NAL.stream(NAL.pps5(3), NAL.sps5(2), NAL.vps5(1)))
    #expect(complete(&reversed, NAL.idr5(4)).bytes == NAL.stream(outOfBand, NAL.idr5(4)))
    var incomplete = self.sets(.h265, NAL.stream(NAL.sps5(2), NAL.pps5(3)))
    #expect(complete(&incomplete, NAL.idr5(4)) == (nil, false), "no video parameter set")
  }

  /// Whatever comes: no crash, and what leaves ends with what came.
  @Test func hostileBytes() {
    var generator = SeededGenerator(seed: 2)
    for codec in [Codec.h264, .h265] {
      var sets = sets(
        codec, codec == .h264 ? NAL.stream(NAL.sps(1), NAL.pps(2)) : NAL.stream(NAL.vps5(1), NAL.sps5(2), NAL.pps5(3)))
      for _ in 0..<5_000 {
        let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ -> UInt8 in
          [0, 0, 0, 1, 1, 0x67, 0x68, 0x65, 0x09, 0x40, 0x42, 0x44, 0x46, 0x26].randomElement(using: &generator) ?? 0
        }
        let result = complete(&sets, bytes).bytes
        if (result?.count ?? 0) < bytes.count { Issue.record("\(bytes) became \(result ?? [])") }
      }
    }
  }
}
