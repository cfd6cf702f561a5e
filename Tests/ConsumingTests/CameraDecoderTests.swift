import Frames
import Imaging
import Testing

@testable import Consuming
@testable import Records

/// One camera's decoder on real streams.
@Suite struct CameraDecoderTests {
  init() { silenceFFmpeg() }

  /// FFmpeg's H.264 decoder passes over packets that begin with "Q264": neither picture nor error comes of them, as with
  /// the second field of an interlaced picture.
  private let silence = Array("Q264".utf8) + [0, 0, 0, 1, 0x0c, 0xff, 0x80]

  /// The numbers of the frames whose pictures come out.
  private func decode(_ frames: [ReceivedFrame], by decoder: CameraDecoder = CameraDecoder()) -> [UInt64] {
    var numbers: [UInt64] = []
    for frame in frames { _ = decoder.take(frame) { numbers.append($1.id.sequence) } }
    decoder.drain { numbers.append($1.id.sequence) }
    return numbers
  }

  @Test func everyPictureBelongsToItsFrame() throws {
    let decoder = CameraDecoder()
    #expect(decode(try Video.frames("plain.h264"), by: decoder) == Array(1...12))
    #expect(decoder.skippedCount == 0)
  }

  /// In decoding order the stream is I P B B P B: the pictures come in presentation order.
  @Test func reorderedPicturesKeepTheirFrames() throws {
    let decoder = CameraDecoder()
    #expect(decode(try Video.frames("reordered.h264"), by: decoder) == [1, 3, 4, 2, 6, 5, 7, 9, 10, 8, 12, 11])
    #expect(decoder.skippedCount == 0)
    #expect(decoder.pendingCount == 0)
  }

  @Test func aCameraStartsAtAKeyframe() throws {
    let decoder = CameraDecoder()
    #expect(decode(Array(try Video.frames("plain.h264")[2...]), by: decoder) == Array(7...12))
    #expect(decoder.skippedCount == 4)
  }

  @Test func behindAGapItGoesOnAtTheNextKeyframe() throws {
    var frames = try Video.frames("plain.h264")
    frames[4].gap = "1"
    frames.remove(at: 3)
    let decoder = CameraDecoder()
    #expect(decode(frames, by: decoder) == [1, 2, 3, 7, 8, 9, 10, 11, 12])
    #expect(decoder.skippedCount == 2)
  }

  /// Records that retention deleted before they were read are announced by nobody.
  @Test func aHoleThatNobodyAnnouncedIsAGapToo() throws {
    var frames = try Video.frames("plain.h264")
    frames.remove(at: 3)
    let decoder = CameraDecoder()
    #expect(decode(frames, by: decoder) == [1, 2, 3, 7, 8, 9, 10, 11, 12])
    #expect(decoder.skippedCount == 2)
  }

  /// Pictures that need others before the keyframe at which decoding began are left out, and only those.
  @Test func leadingFramesAreOfNoUseAtTheBeginning() throws {
    var frames = try Video.frames("plain.h264")
    for index in [1, 7] { frames[index].isLeading = true }
    #expect(decode(frames) == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    frames[6].gap = "3"
    #expect(decode(frames) == [1, 3, 4, 5, 6, 7, 9, 10, 11, 12])
  }

  /// Until a gradual refresh is through nothing is shown; in a stream that is being decoded it changes nothing.
  @Test func picturesAreShownOnceTheyAreWhole() throws {
    var frames = try Video.frames("plain.h264")
    frames[0].recovery = 2
    frames[6].recovery = 3
    let decoder = CameraDecoder()
    #expect(decode(frames, by: decoder) == Array(3...12))
    #expect(decoder.skippedCount == 2)
    frames[6].gap = "1"
    #expect(decode(frames) == [3, 4, 5, 6, 10, 11, 12])
  }

  @Test func anotherEpochBeginsAtAKeyframe() throws {
    var frames = try Video.frames("plain.h264")
    for index in 3..<6 { frames[index].id.epoch += 1 }
    #expect(decode(frames) == [1, 2, 3, 7, 8, 9, 10, 11, 12])
  }

  @Test func aFrameWithoutAPictureIsGivenUpWithItsGroup() throws {
    let frames = try Video.frames("plain.h264")
    let silent = received(3, isKeyframe: false, payload: silence)
    var numbered = frames
    for index in 2..<12 { numbered[index].id.sequence += 1 }
    let decoder = CameraDecoder()
    var needed: Int64?
    for frame in numbered[..<2] + [silent] + numbered[2...] { needed = decoder.take(frame) { _, _ in } }
    #expect(decoder.skippedCount == 1)
    #expect(decoder.pendingCount == 0)
    #expect(needed == numbered[6].offset)
  }

  @Test func framesWithoutPicturesDoNotPileUp() throws {
    let decoder = CameraDecoder()
    _ = decoder.take(try Video.frames("plain.h264")[0]) { _, _ in }
    let count = UInt64(CameraDecoder.pendingLimit) + 10
    for number in 2..<(2 + count) {
      _ = decoder.take(received(number, isKeyframe: false, payload: silence)) { _, _ in }
    }
    #expect(decoder.pendingCount == CameraDecoder.pendingLimit)
    #expect(decoder.skippedCount == 10)
  }

  @Test func aGapBeforeAKeyframeCostsNothing() throws {
    var frames = try Video.frames("plain.h264")
    frames[6].gap = "unknown"
    frames.remove(at: 5)
    #expect(decode(frames) == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12])
  }

  @Test(arguments: [[0x47], [0, 0, 0, 1, 0x65, 1, 2, 3], Array(repeating: 0xFF, count: 1_000)] as [[UInt8]])
  func aBrokenFrameCostsAtMostItsGroup(_ bytes: [UInt8]) throws {
    var frames = try Video.frames("plain.h264")
    frames[2].payload = Payload(bytes)
    #expect(decode(frames).suffix(6) == [7, 8, 9, 10, 11, 12])
  }

  @Test func aCameraMayChangeItsCodec() throws {
    let jpeg = received(100, codec: .mjpeg, payload: try Video.file("picture.jpg"))
    var frames = try Video.frames("plain.h264")
    frames.insert(jpeg, at: 6)
    #expect(decode(frames) == [1, 2, 3, 4, 5, 6, 100, 7, 8, 9, 10, 11, 12])
  }

  /// Whoever starts at the offset that `take` returns gets every picture that has not come out yet.
  @Test(arguments: ["plain.h264", "reordered.h264"])
  func nothingIsLostByStartingAtTheReturnedOffset(_ name: String) throws {
    let frames = try Video.frames(name)
    let decoder = CameraDecoder()
    var shown: Set<UInt64> = []
    for (index, frame) in frames.enumerated() {
      let needed = try #require(decoder.take(frame) { shown.insert($1.id.sequence) })
      let start = try #require(frames.firstIndex { $0.offset == needed })
      #expect(frames[start].isKeyframe)
      #expect(start <= index)
      let again = Set(decode(Array(frames[start...])))
      #expect(shown.union(again) == Set(1...12), "after frame \(index + 1)")
    }
  }

  @Test func everyJPEGStandsForItself() throws {
    let decoder = CameraDecoder()
    var count = 0
    let frame = received(1, codec: .mjpeg, payload: try Video.file("picture.jpg"))
    #expect(decoder.take(frame) { _, _ in count += 1 } == nil)
    #expect(count == 1)
  }

  @Test func beforeAKeyframeNothingIsNeeded() throws {
    #expect(CameraDecoder().take(try Video.frames("plain.h264")[1]) { _, _ in } == nil)
  }
}
