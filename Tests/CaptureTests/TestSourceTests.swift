import CFFmpeg
import Frames
import Posix
import Testing

@testable import Capture

@Suite struct TestSourceTests {
  /// The number in the squares of a decoded test picture, or nil when it is none.
  private func number(in payload: Payload, bitCount: Int) throws -> Int {
    let jpeg = payload.bytes
    defer { withExtendedLifetime(payload) {} }
    let decoder = try #require(avcodec_find_decoder(AV_CODEC_ID_MJPEG))
    var context = avcodec_alloc_context3(decoder)
    var packet = av_packet_alloc()
    var frame = av_frame_alloc()
    defer {
      avcodec_free_context(&context)
      av_packet_free(&packet)
      av_frame_free(&frame)
    }
    try #require(avcodec_open2(context, decoder, nil) == 0 && av_new_packet(packet, Int32(jpeg.count)) == 0)
    let (input, picture) = (try #require(packet), try #require(frame))
    UnsafeMutableRawBufferPointer(start: input.pointee.data, count: jpeg.count).copyMemory(from: jpeg)
    try #require(avcodec_send_packet(context, input) == 0 && avcodec_receive_frame(context, picture) == 0)
    let luma = try #require(picture.pointee.data.0)
    return (0..<bitCount).reduce(0) { number, bit in
      let pixel = luma[8 * Int(picture.pointee.linesize.0) + bit * 16 + 8]
      return number | (pixel > 127 ? 1 << bit : 0)
    }
  }

  @Test(arguments: [(320, 240, 16), (256, 33, 16), (65, 49, 4), (32, 32, 2), (1_001, 17, 16)])
  func picturesAreNumbered(_ width: Int, _ height: Int, _ bitCount: Int) throws {
    let source = TestSource(width: width, height: height, fps: 120, interrupt: Interrupt())
    #expect(try source.open().codec == .mjpeg)
    for expected in 0..<6 {
      let packet = try source.read()
      let header = try #require(JPEGHeader(packet.payload.bytes))
      #expect((header.width, header.height) == (width, height))
      #expect(try number(in: packet.payload, bitCount: bitCount) == expected % (1 << bitCount))
      #expect(!packet.isSuspect)
      #expect(packet.pts == Int64(expected) * (1_000_000_000 / 120))
    }
  }

  @Test func numbersGoOnAfterReopening() throws {
    let source = TestSource(width: 256, height: 16, fps: 120, interrupt: Interrupt())
    for expected in 0..<3 {
      _ = try source.open()
      #expect(try number(in: source.read().payload, bitCount: 16) == expected)
      source.close()
    }
  }

  @Test func stoppingEndsAPause() throws {
    let interrupt = Interrupt()
    let source = TestSource(width: 32, height: 32, fps: 1, interrupt: interrupt)
    _ = try source.open()
    _ = try source.read()
    interrupt.stop()
    let error = captureError { _ = try source.read() }
    #expect(error?.code == .stopped)
  }

  /// A packet's bytes outlive the encoder, the source, and the packet after it.
  @Test func bytesLiveAsLongAsTheirPayload() throws {
    var payloads: [Payload] = []
    var copies: [[UInt8]] = []
    do {
      let source = TestSource(width: 128, height: 32, fps: 120, interrupt: Interrupt())
      _ = try source.open()
      for _ in 0..<4 {
        payloads.append(try source.read().payload)
        copies.append(payloads[payloads.count - 1].array)
      }
    }
    #expect(payloads.map { $0.array } == copies)
  }
}
