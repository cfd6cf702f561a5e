import Frames
import Testing

@testable import Capture

@Suite struct NormalizerTests {
  private static let sets = NAL.stream(NAL.sps(1), NAL.pps(2))

  /// A frame that came out, or nil where it was dropped.
  private struct Passed: Equatable {
    var bytes: [UInt8]
    var isKeyframe: Bool
    var gap: Gap?
  }

  private func take(_ normalizer: inout Normalizer, _ packet: SourcePacket) -> Passed? {
    guard case .frame(let picture) = normalizer.take(packet) else { return nil }
    return Passed(bytes: picture.payload.array, isKeyframe: picture.isKeyframe, gap: picture.gap)
  }

  /// One to whom every keyframe looks good.
  private func normalizer(_ codec: Codec = .h264, _ sets: [UInt8] = sets, gap: Gap? = nil) -> Normalizer {
    Normalizer(stream: SourceStream(codec: codec, parameterSets: codec == .h264 ? sets : []), gap: gap) { _, _ in
      PictureInformation(width: 64, height: 48)
    }
  }

  @Test func nothingBeforeTheFirstKeyframe() {
    var normalizer = normalizer()
    #expect(take(&normalizer, packet(NAL.slice(1))) == nil)
    #expect(take(&normalizer, packet(NAL.slice(2), suspect: true)) == nil)
    let first = take(&normalizer, packet(NAL.idr(3)))
    #expect(first == Passed(bytes: Self.sets + NAL.idr(3), isKeyframe: true, gap: nil), "a start is no loss")
    #expect(take(&normalizer, packet(NAL.slice(4))) == Passed(bytes: NAL.slice(4), isKeyframe: false, gap: nil))
  }

  @Test func aKeyframeThatCannotBeDecodedIsNone() {
    var normalizer = normalizer(.h264, [])
    #expect(take(&normalizer, packet(NAL.idr(1))) == nil)
    #expect(take(&normalizer, packet(NAL.slice(2))) == nil)
    #expect(normalizer.undecodableKeyframeCount == 1)
    #expect(take(&normalizer, packet(Self.sets + NAL.idr(3)))?.gap == .none)
    #expect(take(&normalizer, packet(NAL.idr(4)))?.bytes == Self.sets + NAL.idr(4))
  }

  @Test func afterALossNothingUntilTheNextKeyframe() {
    var normalizer = normalizer()
    #expect(take(&normalizer, packet(NAL.idr(1))) != nil)
    #expect(take(&normalizer, packet(NAL.slice(2), suspect: true)) == nil)
    #expect(take(&normalizer, packet(NAL.slice(3), suspect: true)) == nil)
    #expect(take(&normalizer, packet(NAL.slice(4))) == nil)
    #expect(take(&normalizer, packet(NAL.idr(5), suspect: true)) == nil, "a damaged keyframe is none")
    #expect(take(&normalizer, packet(NAL.slice(6))) == nil)
    let next = take(&normalizer, packet(NAL.idr(7)))
    #expect(next?.gap == Gap(frameCount: nil, reason: .network))
    #expect(take(&normalizer, packet(NAL.slice(8)))?.gap == .none, "said once")
  }

  @Test func whatIsBeyondTheLimitsIsCountedUpToTheNextKeyframe() {
    var normalizer = normalizer()
    #expect(take(&normalizer, packet(NAL.idr(1))) != nil)
    normalizer.refuse(packet(NAL.slice(2)))
    #expect(take(&normalizer, packet(NAL.slice(3))) == nil)
    // Its parameter sets count all the same.
    normalizer.refuse(packet(NAL.stream(NAL.sps(8)) + NAL.idr(4)))
    let next = take(&normalizer, packet(NAL.idr(5)))
    #expect(next?.gap == Gap(frameCount: 3, reason: .limited))
    #expect(next?.bytes == NAL.stream(NAL.sps(8), NAL.pps(2)) + NAL.idr(5))
    var large = packet(NAL.slice(6))
    large.oversizeCount = 2
    #expect(take(&normalizer, large) == nil)
    #expect(take(&normalizer, packet(NAL.idr(7)))?.gap == Gap(frameCount: 3, reason: .limited))
  }

  @Test func whatWasLostBeforeTheConnectionIsSaid() {
    let lost = Gap(frameCount: nil, reason: .camera)
    var normalizer = normalizer(gap: lost)
    #expect(take(&normalizer, packet(NAL.slice(1))) == nil)
    #expect(take(&normalizer, packet(NAL.slice(2), suspect: true)) == nil)
    #expect(take(&normalizer, packet(NAL.idr(3)))?.gap == lost)
  }

  /// Frames that nobody can begin with have no size either; they are dropped and counted, and a keyframe that is as it
  /// was is not looked at again.
  @Test func aKeyframeThatNoDecoderTakes() {
    var lookCount = 0
    var normalizer = Normalizer(stream: SourceStream(codec: .h264, parameterSets: Self.sets), gap: nil) { bytes, _ in
      lookCount += 1
      return bytes.contains(66) && bytes.contains(13) ? nil : PictureInformation(width: 64, height: 48)
    }
    #expect(take(&normalizer, packet(NAL.stream(NAL.sps(13), NAL.pps(2), NAL.idr(1)))) == nil)
    #expect(take(&normalizer, packet(NAL.slice(2))) == nil)
    let whole = NAL.stream(NAL.sps(1), NAL.pps(2), NAL.idr(3))
    #expect(take(&normalizer, packet(whole)) == Passed(bytes: whole, isKeyframe: true, gap: nil))
    #expect(lookCount == 2)
    #expect(take(&normalizer, packet(whole)) != nil)
    #expect(lookCount == 2, "nothing has changed")
    #expect(take(&normalizer, packet(NAL.stream(NAL.sps(13), NAL.pps(2), NAL.idr(4)))) == nil)
    #expect(take(&normalizer, packet(NAL.slice(5))) == nil)
    #expect(take(&normalizer, packet(whole))?.gap == Gap(frameCount: 2, reason: .damaged))
    #expect(normalizer.undecodableKeyframeCount == 2)
  }

  @Test func sizesAndParametersOfRealStreams() throws {
    for (name, codec) in [("h264.mp4", Codec.h264), ("h264b.mp4", .h264), ("h265.mp4", .h265), ("mjpeg.mkv", .mjpeg)] {
      var normalizer = Normalizer(stream: SourceStream(codec: codec), gap: nil)
      for packet in try packets(of: Clips.path(name)) {
        guard case .frame(let picture) = normalizer.take(packet), picture.gap == nil else {
          Issue.record("\(name): a frame was dropped")
          return
        }
        #expect((picture.width, picture.height) == (64, 48), "\(name)")
        #expect(picture.isKeyframe == isKeyframe(packet, codec))
        guard picture.isKeyframe, codec != .mjpeg else { continue }
        let payload = picture.payload
        // Decodable without anything from before.
        #expect(PictureInformation(keyframe: payload.bytes, codec: codec)?.width == 64, "\(name)")
        let kinds = units(payload.array, codec).map(\.kind)
        let needed: [NALUnit.Kind] =
          codec == .h264 ? [.sequenceParameterSet, .pictureParameterSet] : [.videoParameterSet]
        #expect(needed.allSatisfy { kind in kinds.prefix { $0 != .slice }.contains(kind) }, "\(name)")
      }
      #expect(normalizer.pictures?.reorderDepth == (name == "h264b.mp4" ? 1 : 0), "\(name)")
    }
  }

  @Test func damagedJPEGsAreCounted() throws {
    let jpegs = try Clips.jpegs()
    let torn = Array(jpegs[1].dropLast(20))
    var normalizer = normalizer(.mjpeg)
    #expect(take(&normalizer, packet(jpegs[0])) == Passed(bytes: jpegs[0], isKeyframe: true, gap: nil))
    #expect(take(&normalizer, packet(torn)) == nil)
    #expect(take(&normalizer, packet([])) == nil)
    let next = take(&normalizer, packet(jpegs[2]))
    #expect(next == Passed(bytes: jpegs[2], isKeyframe: true, gap: Gap(frameCount: 2, reason: .damaged)))
    #expect(take(&normalizer, packet(jpegs[3]))?.gap == .none)
  }

  @Test func aHoleThatTheNetworkTookPartInIsOfUnknownLength() throws {
    let jpegs = try Clips.jpegs()
    for suspects in [[true, false], [false, true], [true, true]] {
      var normalizer = normalizer(.mjpeg)
      #expect(take(&normalizer, packet(jpegs[0])) != nil)
      for suspect in suspects { #expect(take(&normalizer, packet([1], suspect: suspect)) == nil) }
      #expect(take(&normalizer, packet(jpegs[2]))?.gap == Gap(frameCount: nil, reason: .network))
    }
  }

  /// A JPEG stands for itself: one behind a loss is whole, or is none.
  @Test func aWholeJPEGBehindALossIsPassedOn() throws {
    let jpegs = try Clips.jpegs()
    var normalizer = normalizer(.mjpeg)
    #expect(take(&normalizer, packet(jpegs[0], suspect: true))?.gap == .none, "a start is no loss")
    #expect(take(&normalizer, packet(jpegs[1]))?.gap == .none)
    let lost = Gap(frameCount: nil, reason: .network)
    #expect(take(&normalizer, packet(jpegs[2], suspect: true)) == Passed(bytes: jpegs[2], isKeyframe: true, gap: lost))
    #expect(take(&normalizer, packet(jpegs[3]))?.gap == .none)
  }

  @Test func paddingBehindAJPEGIsNotPassedOn() throws {
    let jpeg = try Clips.jpegs()[0]
    var normalizer = normalizer(.mjpeg)
    #expect(take(&normalizer, packet(jpeg + [UInt8](repeating: 0, count: 1_000)))?.bytes == jpeg)
    #expect(take(&normalizer, packet(jpeg + [0xff, 0xd9]))?.bytes == jpeg)
  }
}

@Suite struct PictureInformationTests {
  /// Whatever is taken for a keyframe: sizes or nil, no crash.
  @Test func hostileKeyframes() throws {
    var generator = SeededGenerator(seed: 3)
    for (name, codec) in [("h264.mp4", Codec.h264), ("h265.mp4", .h265)] {
      let keyframe = try packets(of: Clips.path(name))[0].payload.array
      for round in 0..<300 {
        var bytes =
          round % 2 == 0 ? keyframe : Array(keyframe.prefix(Int.random(in: 0...keyframe.count, using: &generator)))
        for _ in 0..<Int.random(in: 0...4, using: &generator) where !bytes.isEmpty {
          bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        }
        if let found = bytes.withUnsafeBytes({ PictureInformation(keyframe: $0, codec: codec) }) {
          #expect(found.width > 0 && found.height > 0 && (0...16).contains(found.reorderDepth))
        }
      }
    }
  }
}
