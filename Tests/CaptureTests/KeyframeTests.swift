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
  private func outcome(_ codec: Codec, _ sets: [UInt8], _ units: [[UInt8]], isKey: Bool) -> String {
    var normalizer = normalizer(codec, sets)
    return units.map { unit in
      guard case .frame(_, let isKeyframe, _, _, _) = normalizer.take(packet(unit, key: isKey)) else { return "-" }
      return isKeyframe ? "K" : "p"
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
    #expect(outcome(.h264, Self.sets, [NAL.idr(0), mixed], isKey: true) == "Kp")
    #expect(outcome(.h264, Self.sets, [mixed, NAL.idr(0)], isKey: true) == "-K")
    // Even when all of it is intra: what follows may refer to what came before.
    #expect(outcome(.h264, Self.sets, [NAL.idr(0), NAL.intraSlice(1)], isKey: true) == "Kp")
  }

  @Test func aRecoveryPointOfAnInterPictureIsNoKeyframe() {
    let point = NAL.stream(NAL.recoveryPoint(0), NAL.slice(1))
    let mixed = NAL.stream(NAL.recoveryPoint(0), NAL.intraSlice(1), NAL.laterSlice(2))
    let whole = NAL.stream(NAL.recoveryPoint(0), NAL.intraSlice(1), NAL.laterSlice(2, isIntra: true))
    #expect(outcome(.h264, Self.sets, [NAL.idr(0), point, mixed, whole], isKey: true) == "KppK")
  }

  @Test func aPictureWithoutItsFirstSliceIsDamaged() {
    let torn = NAL.laterSlice(2, header: 0x65, isIntra: true)
    #expect(outcome(.h264, Self.sets, [torn, NAL.slice(1), NAL.idr(3)], isKey: true).hasSuffix("K"))
    #expect(outcome(.h264, Self.sets, [torn, NAL.idr(3)], isKey: true) == "-K")
    let torn5 = NAL.slice5(19, 2, isFirst: false)
    #expect(outcome(.h265, Self.sets5, [torn5, NAL.idr5(3)], isKey: true) == "-K")
    var normalizer = normalizer(.h264, Self.sets)
    _ = normalizer.take(packet(NAL.idr(1), key: true))
    #expect(isDropped(normalizer.take(packet(NAL.laterSlice(2)))))
    #expect(isDropped(normalizer.take(packet(NAL.slice(3)))))
    guard case .frame(_, _, _, _, let gap) = normalizer.take(packet(NAL.idr(4), key: true)) else {
      Issue.record("the keyframe was dropped")
      return
    }
    #expect(gap == Gap(frameCount: 2, reason: .damaged))
  }

  /// RASL pictures refer to what came before the CRA picture; RADL pictures do not.
  @Test func leadingPicturesAreDroppedWhereDecodingBegins() {
    let units = [NAL.slice5(21, 1), NAL.slice5(9, 2), NAL.slice5(8, 3), NAL.slice5(7, 4), NAL.slice5(1, 5)]
    #expect(outcome(.h265, Self.sets5, units, isKey: false).dropFirst() == "--pp")
    #expect(outcome(.h265, Self.sets5, [NAL.idr5(0)] + units, isKey: false).dropFirst(2) == "pppp", "not at the start")
  }

  @Test func parameterSetsInFrontOfAnyPictureCount() {
    var normalizer = normalizer(.h264, Self.sets)
    _ = normalizer.take(packet(NAL.idr(1), key: true))
    _ = normalizer.take(packet(NAL.stream(NAL.pps(7), NAL.slice(2))))
    guard case .frame(let payload, _, _, _, _) = normalizer.take(packet(NAL.idr(3), key: true)) else {
      Issue.record("the keyframe was dropped")
      return
    }
    #expect(payload.array == NAL.stream(NAL.sps(1), NAL.pps(7), NAL.idr(3)))
  }

  /// Some V4L2 encoders give their parameter sets a buffer of their own.
  @Test(arguments: [false, true]) func parameterSetsByThemselves(_ isKey: Bool) {
    var normalizer = normalizer(.h264, [])
    #expect(isDropped(normalizer.take(packet(Self.sets, key: isKey))))
    guard case .frame(let payload, let isKeyframe, _, _, let gap) = normalizer.take(packet(NAL.idr(3), key: true)) else {
      Issue.record("the keyframe was dropped")
      return
    }
    #expect(payload.array == Self.sets + NAL.idr(3) && isKeyframe && gap == nil)
    #expect(isDropped(normalizer.take(packet(Self.sets))), "no picture")
  }

  private func isKeyframe(_ bytes: [UInt8], _ codec: Codec) -> Bool {
    bytes.withUnsafeBytes { NALUnitSequence.isKeyframe($0, codec: codec) }
  }

  private func isDropped(_ output: Normalizer.Output) -> Bool {
    if case .dropped = output { true } else { false }
  }
}
