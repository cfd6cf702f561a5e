import Frames
import Testing

@testable import Capture

@Suite struct JPEGHeaderTests {
  private func header(_ bytes: [UInt8]) -> JPEGHeader? { bytes.withUnsafeBytes { JPEGHeader($0) } }

  /// From SOI to EOI with nothing but a frame header of 5 x 3 pixels.
  private static let frameHeader: [UInt8] = [0xff, 0xc0, 0, 11, 8, 0, 3, 0, 5, 1, 1, 0x11, 0]

  @Test func realPictures() throws {
    let jpegs = try Clips.jpegs()
    #expect(jpegs.count == Clips.frameCount)
    for jpeg in jpegs {
      let found = try #require(header(jpeg))
      #expect((found.width, found.height, found.byteCount) == (64, 48, jpeg.count))
    }
  }

  @Test func paddingAndDoubledEnds() throws {
    let jpeg = try Clips.jpegs()[0]
    for padding in [[0], [UInt8](repeating: 0, count: 5_000), [0xff, 0xd9], [0xff, 0xd9, 0, 0], [0x0d, 0x0a]] {
      #expect(header(jpeg + padding)?.byteCount == jpeg.count)
    }
  }

  /// Whatever a camera pads the end with, and the second field of an AVI1 pair, is not of the picture.
  @Test func whatFollowsTheEndIsNotOfThePicture() throws {
    let jpegs = try Clips.jpegs()
    for padding in [[UInt8](repeating: 0xff, count: 500), Array("padding, padding".utf8) + Array(0...199), jpegs[1]] {
      #expect(header(jpegs[0] + padding)?.byteCount == jpegs[0].count)
    }
  }

  @Test func everyTruncationIsNoticed() throws {
    let jpeg = try Clips.jpegs()[0]
    for count in jpeg.indices {
      #expect(header(Array(jpeg.prefix(count))) == nil, "the first \(count) of \(jpeg.count) bytes")
    }
  }

  @Test func markersInFrontOfTheFrameHeader() {
    let comment: [UInt8] = [0xff, 0xfe, 0, 4, 0xff, 0xc0]
    let (start, end): ([UInt8], [UInt8]) = ([0xff, 0xd8], [0xff, 0xd9])
    // Joined, not added: Swift 6.0 does not finish typing sums of so many arrays.
    let commented: [[UInt8]] = [start, comment, [0xff], Self.frameHeader, end]
    let size = header(Array(commented.joined()))
    #expect(size?.width == 5 && size?.height == 3)
    let progressive: [[UInt8]] = [start, [0xff, 0xc2], Array(Self.frameHeader.dropFirst(2)), end]
    #expect(header(Array(progressive.joined()))?.width == 5)
  }

  @Test(
    arguments: [
      [], [0xff], [0xff, 0xd8], [0xff, 0xd8, 0xff, 0xd9], [0xff, 0xd8, 0xff, 0xd9, 0],
      [0xff, 0xd8] + [UInt8](repeating: 0xff, count: 40) + [0xff, 0xd9],  // fill bytes only
      [0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 0xff, 0xd9],  // a segment beyond the end
      [0xff, 0xd8, 0xff, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd9],  // a segment of no length
      [0xff, 0xd8, 0xff, 0xda, 0, 2, 0xff, 0xc0, 0, 11, 8, 0, 3, 0, 5, 1, 1, 0xff, 0xd9],  // a scan before the header
      [0xff, 0xd8, 0xff, 0xc4, 0, 11, 8, 0, 3, 0, 5, 1, 1, 0x11, 0, 0xff, 0xd9],  // DHT is no frame header
      [0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 0, 0, 5, 1, 1, 0x11, 0, 0xff, 0xd9],  // no height
      [0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 3, 0, 0, 1, 1, 0x11, 0, 0xff, 0xd9],  // no width
      [0, 0, 0, 1, 0x65, 0xff, 0xd9, 0, 0, 0, 0, 0, 0, 0],
    ] as [[UInt8]])
  func noJPEG(_ bytes: [UInt8]) {
    #expect(header(bytes) == nil)
  }

  @Test func garbage() throws {
    var generator = SeededGenerator(seed: 4)
    let jpeg = try Clips.jpegs()[0]
    for _ in 0..<5_000 {
      var bytes = Array(jpeg.prefix(Int.random(in: 0...200, using: &generator))) + [0xff, 0xd9]
      for _ in 0..<6 {
        bytes[Int.random(in: bytes.indices, using: &generator)] =
          [0, 0xff, 0xd9, 0xc0, UInt8.random(in: 0...255, using: &generator)].randomElement(using: &generator) ?? 0
      }
      if let found = header(bytes), found.byteCount > bytes.count || found.width < 1 || found.height < 1 {
        Issue.record("\(bytes) passes as \(found)")
      }
    }
  }
}
