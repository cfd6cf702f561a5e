import CFFmpeg
import Frames
import Glibc
import Testing

@testable import Imaging

/// A picture whose planes lie in memory of the test's own, with bytes beyond each row that must not count.
private func withPicture<Result>(
  _ format: AVPixelFormat, _ width: Int, _ height: Int, padding: Int, range: AVColorRange = AVCOL_RANGE_UNSPECIFIED,
  planes: [(width: Int, height: Int, value: (Int, Int) -> UInt8)], _ body: (borrowing Picture) throws -> Result
) throws -> Result {
  var frame = av_frame_alloc()
  defer { av_frame_free(&frame) }
  let picture = try #require(frame)
  (picture.pointee.width, picture.pointee.height) = (Int32(width), Int32(height))
  (picture.pointee.format, picture.pointee.color_range) = (format.rawValue, range)
  var memories: [UnsafeMutablePointer<UInt8>] = []
  defer { for memory in memories { memory.deallocate() } }
  for (index, plane) in planes.enumerated() {
    let stride = plane.width + padding
    // Vector code may read beyond the last row.
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: stride * plane.height + 64)
    memory.initialize(repeating: 0xee, count: stride * plane.height + 64)
    memories.append(memory)
    for row in 0..<plane.height {
      for column in 0..<plane.width { memory[row * stride + column] = plane.value(row, column) }
    }
    withUnsafeMutableBytes(of: &picture.pointee.data) {
      $0.bindMemory(to: UnsafeMutablePointer<UInt8>?.self)[index] = memory
    }
    withUnsafeMutableBytes(of: &picture.pointee.linesize) { $0.bindMemory(to: Int32.self)[index] = Int32(stride) }
  }
  return try body(Picture(frame: picture))
}

@Suite struct MeanPixelTests {
  init() { silenceFFmpeg() }

  private static let sizes = [
    (1, 1), (2, 2), (3, 5), (7, 1), (8, 8), (17, 3), (33, 31), (341, 2), (342, 3), (1_920, 2),
  ]

  /// B, G and R in a row are the bytes themselves.
  @Test(arguments: sizes, [0, 1, 37])
  func packedPicturesAreSummedExactly(_ size: (Int, Int), _ padding: Int) throws {
    var generator = LinearGenerator(state: UInt64(size.0))
    let bytes = (0..<size.0 * 3 * size.1).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let mean = MeanPixel()
    for values in [bytes, bytes.map { _ in 255 }, bytes.map { _ in 0 }] {
      let found = try withPicture(
        AV_PIX_FMT_BGR24, size.0, size.1, padding: padding,
        planes: [(size.0 * 3, size.1, { row, column in values[row * size.0 * 3 + column] })]
      ) { try mean.mean(of: $0) }
      #expect(found == Double(values.reduce(0) { $0 + Int($1) }) / Double(values.count))
    }
  }

  @Test(arguments: sizes, [0, 1, 37])
  func constantGreys(_ size: (Int, Int), _ padding: Int) throws {
    let (width, height) = size
    let mean = MeanPixel()
    func grey(_ format: AVPixelFormat, _ range: AVColorRange, _ luma: UInt8) throws -> Double {
      let chroma = { (_: Int, _: Int) -> UInt8 in 128 }
      let half = ((width + 1) / 2, (height + 1) / 2, chroma)
      let planes = [(width, height, { (_: Int, _: Int) -> UInt8 in luma })]
      return try withPicture(
        format, width, height, padding: padding, range: range,
        planes: format == AV_PIX_FMT_GRAY8 ? planes : planes + [half, half]
      ) { try mean.mean(of: $0) }
    }
    for value in [UInt8(0), 1, 77, 128, 254, 255] {
      #expect(try grey(AV_PIX_FMT_YUVJ420P, AVCOL_RANGE_UNSPECIFIED, value) == Double(value))
      #expect(try grey(AV_PIX_FMT_YUV420P, AVCOL_RANGE_JPEG, value) == Double(value))
      #expect(try grey(AV_PIX_FMT_GRAY8, AVCOL_RANGE_JPEG, value) == Double(value))
      // Television's range: 16 is black, 235 is white.
      let limited = min(max((Double(value) - 16) * 255 / 219, 0), 255).rounded()
      #expect(try grey(AV_PIX_FMT_YUV420P, AVCOL_RANGE_MPEG, value) == limited)
      #expect(try grey(AV_PIX_FMT_YUV420P, AVCOL_RANGE_UNSPECIFIED, value) == limited)
    }
  }

  /// ITU-R BT.601, television's range: red, green and blue of one colour.
  @Test(arguments: [(UInt8(81), UInt8(90), UInt8(240)), (145, 54, 34), (41, 240, 110), (170, 166, 16)])
  func constantColours(_ luma: UInt8, _ blue: UInt8, _ red: UInt8) throws {
    let (y, u, v) = ((Double(luma) - 16) * 255 / 219, (Double(blue) - 128) / 112, (Double(red) - 128) / 112)
    let exact = [y + 255 * 0.701 * v, y - 255 * (0.114 * 0.886 * u + 0.299 * 0.701 * v) / 0.587, y + 255 * 0.886 * u]
    let expected = exact.reduce(0) { $0 + min(max($1, 0), 255) } / 3
    let found = try withPicture(
      AV_PIX_FMT_YUV420P, 34, 18, padding: 6,
      planes: [(34, 18, { _, _ in luma }), (17, 9, { _, _ in blue }), (17, 9, { _, _ in red })]
    ) { try MeanPixel().mean(of: $0) }
    #expect(abs(found - expected) <= 1)
  }

  /// What the `ffmpeg` executable makes of the same streams, picture by picture.
  @Test(arguments: [(Codec.h264, "66x50"), (.h265, "66x50"), (.mjpeg, "66x50"), (.mjpeg, "65x49")])
  func agreesWithFFmpegsOwnPictures(_ codec: Codec, _ size: String) throws {
    let units = try Clips.accessUnits(codec, size: size)
    let format = codec == .mjpeg ? "mjpeg" : codec == .h264 ? "h264" : "hevc"
    let decoder = try SoftwareDecoder(codec: codec)
    let mean = MeanPixel()
    var found: [Double] = []
    for unit in units {
      try unit.withUnsafeBytes { try decoder.decode($0, tag: 0) { picture, _ in found += means(mean, picture) } }
    }
    try decoder.drain { picture, _ in found += means(mean, picture) }
    let path = "/tmp/camgate-mean-\(UInt64.random(in: 0 ... .max)).\(format)"
    let file = try #require(fopen(path, "w"))
    defer { unlink(path) }
    for unit in units { fwrite(unit, 1, unit.count, file) }
    fclose(file)
    let flags = "-vf scale=flags=bicubic+accurate_rnd+full_chroma_int:out_range=full,format=bgr24"
    let raw = try Clips.output("-f \(format) -i \(path) \(flags) -f rawvideo")
    let pictureBytes = raw.count / Clips.frameCount
    let expected = (0..<Clips.frameCount).map { index in
      let bytes = raw[index * pictureBytes..<(index + 1) * pictureBytes]
      return Double(bytes.reduce(0) { $0 + Int($1) }) / Double(pictureBytes)
    }
    #expect(found == expected)
  }

  private func means(_ mean: MeanPixel, _ picture: borrowing Picture) -> [Double] {
    do {
      return [try mean.mean(of: picture)]
    } catch {
      Issue.record("\(error.message)")
      return []
    }
  }

  @Test func whatCannotBeConvertedIsAnError() throws {
    let mean = MeanPixel()
    // No planes: else the mean of the picture before would pass for its own.
    #expect(throws: ImagingError.self) {
      try withPicture(AV_PIX_FMT_YUV420P, 4, 4, padding: 0, planes: []) { try mean.mean(of: $0) }
    }
    for format in [AV_PIX_FMT_NONE, AV_PIX_FMT_VAAPI, AV_PIX_FMT_DRM_PRIME] {
      #expect(throws: ImagingError.self) {
        try withPicture(format, 4, 4, padding: 0, planes: [(4, 4, { _, _ in 0 })]) { try mean.mean(of: $0) }
      }
    }
    let grey = try withPicture(
      AV_PIX_FMT_GRAY8, 4, 4, padding: 0, range: AVCOL_RANGE_JPEG, planes: [(4, 4, { _, _ in 9 })]
    ) {
      try mean.mean(of: $0)
    }
    #expect(grey == 9, "an error does not spoil what comes next")
  }
}
