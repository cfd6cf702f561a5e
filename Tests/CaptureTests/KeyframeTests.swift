import Frames
import Testing

@testable import Capture

/// Where decoding may begin, whatever FFmpeg's parser or a driver says.
@Suite struct KeyframeTests {
  private static let sets = NAL.stream(NAL.sps(1), NAL.pps(2))
  private static let sets5 = NAL.stream(NAL.vps5(1), NAL.sps5(2), NAL.pps5(3))

  private func normalizer(_ codec: Codec, _ sets: [UInt8]) -> Normalizer {
    Normalizer(stream: SourceStream(codec: codec, parameterSets: sets), gap: nil) { _, _ in
      PictureInformation(width: 64, height: 48)
    }
  }

  /// What becomes of access units, one letter each: K for a keyframe, p for another picture, - for one that was dropped.
  private func outcome(_ codec: Codec, _ sets: [UInt8], _ units: [[UInt8]]) -> String {
    var normalizer = normalizer(codec, sets)
    return units.map { unit in
      guard case .frame(let picture) = normalizer.take(packet(unit)) else { return "-" }
      return picture.isKeyframe ? "K" : picture.isLeading ? "l" : "p"
    }.joined()
  }

  /// A non-reference picture's NAL header is 01 in H.264 and begins with 00 in H.265 (TRAIL_N): what follows it is no header.
  @Test func nonReferencePicturesAreNoKeyframes() {
    #expect(!isKeyframe([0, 0, 0, 1, 0x01, 0xa5, 0x80], .h264))
    #expect(!isKeyframe([0, 0, 0, 1, 0x00, 0x01, 0xa6, 0x80], .h265))
    #expect(isKeyframe(NAL.idr(1), .h264))
    #expect(isKeyframe(NAL.idr5(1), .h265))
  }

  @Test func aFirstSliceOfIntraDoesNotMakeAKeyframe() {
    let mixed = NAL.stream(NAL.intraSlice(1), NAL.laterSlice(2))
    #expect(outcome(.h264, Self.sets, [NAL.idr(0), mixed]) == "Kp")
    #expect(outcome(.h264, Self.sets, [mixed, NAL.idr(0)]) == "-K")
    // Even when all of it is intra: what follows may refer to what came before.
    #expect(outcome(.h264, Self.sets, [NAL.idr(0), NAL.intraSlice(1)]) == "Kp")
  }

  @Test func aRecoveryPointOfAnInterPictureIsNoKeyframe() {
    let point = NAL.stream(NAL.recoveryPoint(0), NAL.slice(1))
    let mixed = NAL.stream(NAL.recoveryPoint(0), NAL.intraSlice(1), NAL.laterSlice(2))
    let whole = NAL.stream(NAL.recoveryPoint(0), NAL.intraSlice(1), NAL.laterSlice(2, isIntra: true))
    #expect(outcome(.h264, Self.sets, [NAL.idr(0), point, mixed, whole]) == "KppK")
  }

  @Test func aPictureWithoutItsFirstSliceIsDamaged() {
    let torn = NAL.laterSlice(2, header: 0x65, isIntra: true)
    #expect(outcome(.h264, Self.sets, [torn, NAL.slice(1), NAL.idr(3)]).hasSuffix("K"))
    #expect(outcome(.h264, Self.sets, [torn, NAL.idr(3)]) == "-K")
    let torn5 = NAL.slice5(19, 2, isFirst: false)
    #expect(outcome(.h265, Self.sets5, [torn5, NAL.idr5(3)]) == "-K")
    var normalizer = normalizer(.h264, Self.sets)
    _ = normalizer.take(packet(NAL.idr(1)))
    #expect(isDropped(normalizer.take(packet(NAL.laterSlice(2), pts: 40))))
    #expect(isDropped(normalizer.take(packet(NAL.slice(3)))))
    guard case .frame(let picture) = normalizer.take(packet(NAL.idr(4))) else {
      Issue.record("the keyframe was dropped")
      return
    }
    #expect(picture.gap == Gap(frameCount: 2, reason: .damaged))
  }

  /// GStreamer's payloader repeats the parameter sets before each slice of an IDR picture, and FFmpeg's parser makes an access
  /// unit of each: the later ones are no torn pictures.
  @Test func slicesByThemselves() {
    var normalizer = normalizer(.h264, Self.sets)
    let later = NAL.stream(Self.sets, NAL.laterSlice(2, header: 0x65, isIntra: true))
    #expect(!isDropped(normalizer.take(packet(NAL.stream(Self.sets, NAL.idr(1)), pts: 40))))
    #expect(!isDropped(normalizer.take(packet(later, pts: 40))))
    #expect(!isDropped(normalizer.take(packet(later, pts: 40))))
    #expect(!isDropped(normalizer.take(packet(NAL.slice(3), pts: 80))))
    #expect(isDropped(normalizer.take(packet(later, pts: 120))), "its first slice is missing")
  }

  /// RASL pictures refer to what came before the CRA picture; RADL pictures do not.
  @Test func leadingPicturesAreDroppedWhereDecodingBegins() {
    let units = [NAL.slice5(21, 1), NAL.slice5(9, 2), NAL.slice5(8, 3), NAL.slice5(7, 4), NAL.slice5(1, 5)]
    #expect(outcome(.h265, Self.sets5, units) == "K--pp")
    #expect(outcome(.h265, Self.sets5, [NAL.idr5(0)] + units) == "KKllpp", "not at the start")
  }

  /// In H.264 only the order of pictures says which are shown before an open GOP's first one.
  @Test func leadingPicturesOfAnOpenGOP() throws {
    let units = try Clips.accessUnits("open.h264")
    let all = outcome(.h264, [], units)
    let second = try #require(all.dropFirst().firstIndex(of: "K"))
    let start = all.distance(from: all.startIndex, to: second)
    let count = all[second...].dropFirst().prefix { $0 == "l" }.count
    #expect(count > 0 && !all[..<second].contains("l"), "\(all)")
    #expect(outcome(.h264, [], Array(units[start...])).hasPrefix("K" + String(repeating: "-", count: count) + "p"))
  }

  /// Recovery is told in reference pictures; others in between make it longer.
  @Test func gradualRefreshes() {
    let begin = NAL.stream(NAL.recoveryPoint(9), NAL.slice(1))
    var normalizer = normalizer(.h264, Self.sets)
    #expect(recovery(normalizer.take(packet(begin))) == 9)
    _ = normalizer.take(packet(NAL.unit([0x01, 0x9a], 2)))
    #expect(recovery(normalizer.take(packet(begin))) == 18)
    #expect(recovery(normalizer.take(packet(NAL.idr(3)))) == 0)
    let begin5 = NAL.stream(NAL.unit([39 << 1, 1, 6, 1, 0x11], 0x80), NAL.slice5(1, 1))
    var normalizer5 = self.normalizer(.h265, Self.sets5)
    #expect(recovery(normalizer5.take(packet(begin5))) == 4)
  }

  /// nil for what is no keyframe.
  private func recovery(_ output: Normalizer.Output) -> Int? {
    if case .frame(let picture) = output, picture.isKeyframe { picture.recovery } else { nil }
  }

  @Test func parameterSetsInFrontOfAnyPictureCount() {
    var normalizer = normalizer(.h264, Self.sets)
    _ = normalizer.take(packet(NAL.idr(1)))
    _ = normalizer.take(packet(NAL.stream(NAL.pps(7), NAL.slice(2))))
    guard case .frame(let picture) = normalizer.take(packet(NAL.idr(3))) else {
      Issue.record("the keyframe was dropped")
      return
    }
    #expect(picture.payload.array == NAL.stream(NAL.sps(1), NAL.pps(7), NAL.idr(3)))
  }

  /// Some V4L2 encoders give their parameter sets a buffer of their own.
  @Test func parameterSetsByThemselves() {
    var normalizer = normalizer(.h264, [])
    #expect(isDropped(normalizer.take(packet(Self.sets))))
    guard case .frame(let picture) = normalizer.take(packet(NAL.idr(3))) else {
      Issue.record("the keyframe was dropped")
      return
    }
    #expect(picture.payload.array == Self.sets + NAL.idr(3) && picture.isKeyframe && picture.gap == nil)
    #expect(isDropped(normalizer.take(packet(Self.sets))), "no picture")
  }

  private func isKeyframe(_ bytes: [UInt8], _ codec: Codec) -> Bool {
    bytes.withUnsafeBytes { AccessUnit($0, codec: codec).recovery != nil }
  }

  private func isDropped(_ output: Normalizer.Output) -> Bool {
    if case .dropped = output { true } else { false }
  }
}
