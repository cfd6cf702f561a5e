import Frames
import Imaging
import Testing

@Suite struct DecoderTests {
  init() { silenceFFmpeg() }

  @Test(arguments: Codec.allCases)
  func everyPictureOnceWithItsTag(_ codec: Codec) throws {
    let units = try Clips.accessUnits(codec)
    #expect(units.count == Clips.frameCount)
    let decoder = try SoftwareDecoder(codec: codec)
    var tags: [Int64] = []
    for (index, unit) in units.enumerated() {
      let pictures = try decoder.decoded(unit, tag: Int64(index) * 7 + 3)
      #expect(pictures.allSatisfy { $0.width == 66 && $0.height == 50 })
      tags += pictures.map(\.tag)
    }
    tags += try decoder.drainedTags()
    #expect(tags == units.indices.map { Int64($0) * 7 + 3 })
  }

  /// I P B B in decoding order is I B B P on the screen: the tag says which access unit a picture was made of.
  @Test func reorderedPicturesKeepTheirTags() throws {
    let units = try Clips.accessUnits(.h264, bFrames: 2)
    let decoder = try SoftwareDecoder(codec: .h264)
    var tags: [Int64] = []
    for (index, unit) in units.enumerated() { tags += try decoder.decoded(unit, tag: Int64(index)).map(\.tag) }
    tags += try decoder.drainedTags()
    #expect(tags.sorted() == units.indices.map { Int64($0) })
    #expect(tags.prefix(4) == [0, 2, 3, 1])
  }

  @Test(arguments: Codec.allCases)
  func beginsAgainAtAKeyframeAfterDraining(_ codec: Codec) throws {
    let units = try Clips.accessUnits(codec)
    let decoder = try SoftwareDecoder(codec: codec)
    #expect(try decoder.drainedTags() == [], "nothing was held back yet")
    for _ in 0..<2 {
      var count = 0
      for (index, unit) in units.enumerated() { count += try decoder.decoded(unit, tag: Int64(index)).count }
      count += try decoder.drainedTags().count
      #expect(count == Clips.frameCount)
    }
  }

  @Test(arguments: Codec.allCases)
  func noPictureInNothing(_ codec: Codec) throws {
    let decoder = try SoftwareDecoder(codec: codec)
    #expect(throws: ImagingError.self) { try decoder.decoded([], tag: 0) }
    #expect(throws: ImagingError.self) { try decoder.decoded([1, 2, 3, 4, 5, 6, 7, 8], tag: 0) }
    let first = try Clips.accessUnits(codec)[0]
    let pictures = try decoder.decoded(first, tag: 5).map(\.tag) + decoder.drainedTags()
    #expect(pictures == [5], "an error does not spoil what comes next")
  }

  /// Damaged bytes give errors or poor pictures, never a crash, and the next whole keyframe is good again.
  @Test(arguments: Codec.allCases)
  func damage(_ codec: Codec) throws {
    var generator = LinearGenerator(state: 6)
    let units = try Clips.accessUnits(codec)
    let decoder = try SoftwareDecoder(codec: codec)
    for _ in 0..<60 {
      for unit in units {
        var bytes = Array(unit.prefix(Int.random(in: 1...unit.count, using: &generator)))
        for _ in 0..<Int.random(in: 0...8, using: &generator) {
          bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        }
        _ = try? decoder.decoded(bytes, tag: 0)
      }
      _ = try? decoder.drainedTags()
      let tags = try decoder.decoded(units[0], tag: 9).map(\.tag) + decoder.drainedTags()
      #expect(tags.last == 9)
    }
  }

  @Test func sizesMayChange() throws {
    let decoder = try SoftwareDecoder(codec: .mjpeg)
    for (size, width, height) in [("66x50", 66, 50), ("128x96", 128, 96), ("65x49", 65, 49), ("66x50", 66, 50)] {
      let pictures = try decoder.decoded(try Clips.accessUnits(.mjpeg, size: size)[0], tag: 1)
      #expect(pictures.map { [$0.width, $0.height] } == [[width, height]])
    }
  }

  @Test func errorsSayWhatFailed() throws {
    let decoder = try SoftwareDecoder(codec: .mjpeg)
    do {
      _ = try decoder.decoded([0, 1, 2, 3], tag: 0)
      Issue.record("garbage was decoded")
    } catch let error as ImagingError {
      #expect(error.message.hasPrefix("decoding: "))
      #expect(error.message.count > 12)
    }
  }
}
