import CFFmpeg
import Frames
import Testing

@testable import Imaging

@Suite struct JPEGEncoderTests {
  /// A picture of one colour in every layout, with rows that are padded with something else.
  private func bytes(
    _ layout: RawPicture.Layout, width: Int, height: Int, row: Int, color: (y: UInt8, u: UInt8, v: UInt8)
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: layout.byteCount(height: height, bytesPerRow: row))
    func fill(_ pattern: [UInt8], from: Int, row: Int, width: Int, height: Int) {
      for y in 0..<height { for x in 0..<width { bytes[from + y * row + x] = pattern[x % pattern.count] } }
    }
    let (y, u, v) = color
    let (halfWidth, halfHeight, halfRow) = ((width + 1) / 2, (height + 1) / 2, (row + 1) / 2)
    switch layout {
    case .yuyv: fill([y, u, y, v], from: 0, row: row, width: halfWidth * 4, height: height)
    case .uyvy: fill([u, y, v, y], from: 0, row: row, width: halfWidth * 4, height: height)
    case .rgb24, .bgr24: fill([y, u, v], from: 0, row: row, width: width * 3, height: height)
    case .grey, .nv12, .nv21, .yu12, .yv12: fill([y], from: 0, row: row, width: width, height: height)
    }
    if layout == .nv12 || layout == .nv21 {
      fill(
        layout == .nv12 ? [u, v] : [v, u], from: row * height, row: row, width: halfWidth * 2, height: halfHeight)
    }
    if layout == .yu12 || layout == .yv12 {
      let (first, second) = layout == .yu12 ? (u, v) : (v, u)
      fill([first], from: row * height, row: halfRow, width: halfWidth, height: halfHeight)
      fill([second], from: row * height + halfRow * halfHeight, row: halfRow, width: halfWidth, height: halfHeight)
    }
    return bytes
  }

  /// Decodes by FFmpeg; gives size and the samples that all pixels share, within `tolerance`.
  private func decoded(_ jpeg: Payload, tolerance: Int) throws -> (width: Int, height: Int, samples: [Int]) {
    let decoder = try SoftwareDecoder(codec: .mjpeg)
    var result: (Int, Int, [Int])?
    try decoder.decode(jpeg.bytes, tag: 0) { picture, _ in
      let frame = picture.frame.pointee
      let planes =
        frame.format == AV_PIX_FMT_GRAY8.rawValue ? [frame.data.0] : [frame.data.0, frame.data.1, frame.data.2]
      let strides = [frame.linesize.0, frame.linesize.1, frame.linesize.2].map { Int($0) }
      let is420 = frame.format == AV_PIX_FMT_YUVJ420P.rawValue || frame.format == AV_PIX_FMT_YUV420P.rawValue
      var (samples, strays): ([Int], [String]) = ([], [])
      for (index, plane) in planes.enumerated() {
        guard let plane else { continue }
        let width = index == 0 ? picture.width : (picture.width + 1) / 2
        let height = index == 0 || !is420 ? picture.height : (picture.height + 1) / 2
        samples.append(Int(plane[0]))
        for y in 0..<height {
          for x in 0..<width {
            let sample = Int(plane[y * strides[index] + x])
            if abs(sample - samples[index]) > tolerance { strays.append("plane \(index), \(x), \(y): \(sample)") }
          }
        }
      }
      #expect(strays.isEmpty, "\(strays.prefix(5))")
      result = (picture.width, picture.height, samples)
    }
    return try #require(result)
  }

  private static let sizes = [(64, 48), (65, 47), (16, 17)]

  /// A plane taken for another one, a row too far, a padding byte taken for a pixel: each would show.
  @Test(arguments: RawPicture.Layout.allCases, [0, 10])
  func everyLayoutKeepsItsColours(_ layout: RawPicture.Layout, _ padding: Int) throws {
    let encoder = try #require(JPEGEncoder(quality: 95))
    for (width, height) in Self.sizes {
      let row = layout.rowByteCount(width: width) + padding + (layout == .nv12 || layout == .nv21 ? width % 2 : 0)
      let bytes = bytes(layout, width: width, height: height, row: row, color: (150, 90, 180))
      let jpeg = try bytes.withUnsafeBytes { bytes in
        let picture = try #require(
          RawPicture(
            layout: layout, width: width, height: height, bytesPerRow: row, isFullRange: true, bytes: bytes))
        return try #require(encoder.jpeg(of: picture))
      }
      let result = try decoded(jpeg, tolerance: 3)
      #expect((result.width, result.height) == (width, height))
      let expected: [Int]
      switch layout {
      case .grey: expected = [150]
      // ITU-R BT.601 of the colour with red, green, blue 150, 90, 180, and 180, 90, 150.
      case .rgb24: expected = [118, 163, 151]
      case .bgr24: expected = [124, 143, 168]
      default: expected = [150, 90, 180]
      }
      #expect(result.samples.count == expected.count)
      for (sample, wanted) in zip(result.samples, expected) { #expect(abs(sample - wanted) <= 3, "\(result.samples)") }
    }
  }

  /// Black and white of a camera become those of JPEG.
  @Test(arguments: [(16, 0), (235, 255), (0, 0), (255, 255), (126, 128)])
  func limitedRangeIsSpread(_ sample: UInt8, _ expected: Int) throws {
    let encoder = try #require(JPEGEncoder())
    let bytes = bytes(.yuyv, width: 32, height: 32, row: 64, color: (sample, 128, 240))
    let jpeg = try bytes.withUnsafeBytes { bytes in
      let picture = try #require(
        RawPicture(layout: .yuyv, width: 32, height: 32, bytesPerRow: 64, isFullRange: false, bytes: bytes))
      return try #require(encoder.jpeg(of: picture))
    }
    let samples = try decoded(jpeg, tolerance: 3).samples
    #expect(zip(samples, [expected, 128, 255]).allSatisfy { abs($0 - $1) <= 3 }, "\(samples)")
  }

  /// One encoder for pictures that grow, shrink and change; a JPEG stays what it was.
  @Test func anEncoderIsForManyPictures() throws {
    let encoder = try #require(JPEGEncoder())
    var random = SystemRandomNumberGenerator()
    var made: [(Payload, [UInt8])] = []
    for (width, height) in [(16, 16), (320, 240), (16, 16), (640, 480), (320, 240)] {
      let bytes = (0..<(width * height)).map { _ in UInt8.random(in: 0...255, using: &random) }
      let jpeg = try bytes.withUnsafeBytes { bytes in
        let picture = try #require(
          RawPicture(layout: .grey, width: width, height: height, bytesPerRow: width, isFullRange: true, bytes: bytes))
        return try #require(encoder.jpeg(of: picture))
      }
      made.append((jpeg, Array(jpeg.bytes)))
    }
    for (jpeg, bytes) in made { withExtendedLifetime(jpeg) { #expect(Array(jpeg.bytes) == bytes) } }
  }
}
