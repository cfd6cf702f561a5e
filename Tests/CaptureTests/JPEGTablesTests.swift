import CFFmpeg
import Frames
import Testing

@testable import Capture

@Suite struct JPEGTablesTests {
  /// The offset and length of the DHT segments.
  private func tables(in jpeg: [UInt8]) -> [Range<Int>] {
    var (found, index) = ([] as [Range<Int>], 2)
    while jpeg[index + 1] != 0xda {
      let length = Int(jpeg[index + 2]) << 8 | Int(jpeg[index + 3])
      let end = index + 2 + length
      if jpeg[index + 1] == 0xc4 { found.append(index..<end) }
      index = end
    }
    return found
  }

  private func luma(of jpeg: [UInt8]) throws -> [UInt8] {
    let decoder = try #require(avcodec_find_decoder(AV_CODEC_ID_MJPEG))
    var (context, packet, frame) = (avcodec_alloc_context3(decoder), av_packet_alloc(), av_frame_alloc())
    defer {
      avcodec_free_context(&context)
      av_packet_free(&packet)
      av_frame_free(&frame)
    }
    try #require(avcodec_open2(context, decoder, nil) == 0 && av_new_packet(packet, Int32(jpeg.count)) == 0)
    let (input, picture) = (try #require(packet), try #require(frame))
    UnsafeMutableRawBufferPointer(start: input.pointee.data, count: jpeg.count).copyBytes(from: jpeg)
    try #require(avcodec_send_packet(context, input) == 0 && avcodec_receive_frame(context, picture) == 0)
    let plane = try #require(picture.pointee.data.0)
    return (0..<Int(picture.pointee.height)).flatMap { row in
      (0..<Int(picture.pointee.width)).map { plane[row * Int(picture.pointee.linesize.0) + $0] }
    }
  }

  /// Cameras leave out exactly what FFmpeg writes with its default tables.
  @Test func whatWasLeftOutIsPutIn() throws {
    let whole = try Clips.bytes("default-tables.jpg")
    let segments = tables(in: whole)
    #expect(
      segments.flatMap { whole[($0.lowerBound + 4)..<$0.upperBound] }.sorted() == JPEGTables.segment[4...].sorted())
    var stripped = whole
    for segment in segments.reversed() { stripped.removeSubrange(segment) }
    let completed = stripped.withUnsafeBytes { JPEGTables.complete($0) }
    #expect(completed.array.count == stripped.count + JPEGTables.segment.count)
    #expect(tables(in: completed.array).count == 1)
    #expect(try luma(of: completed.array) == luma(of: whole))
  }

  @Test func whatIsThereStays() throws {
    for jpeg in try Clips.jpegs() + [
      [], [0xff], [0xff, 0xd8], [0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff], [1, 2, 3, 4, 5, 6],
    ] {
      #expect(jpeg.withUnsafeBytes { JPEGTables.complete($0) }.array == jpeg)
    }
  }
}
