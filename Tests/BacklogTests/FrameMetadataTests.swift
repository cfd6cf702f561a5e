import Frames
import Testing

@testable import Backlog

/// What the disk keeps of a frame.
@Suite struct FrameMetadataTests {
  private let payload = Payload([1, 2, 3])

  private func decode(_ bytes: [UInt8], boot: UInt64 = 9, clocks: BootClocks = BootClocks()) -> Frame? {
    bytes.withUnsafeBytes {
      FrameMetadata.decode($0, payload: payload, isKeyframe: true, captureTime: 5, boot: boot, clocks: clocks)
    }
  }

  private func expectSame(_ decoded: Frame?, _ frame: Frame, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let decoded = try #require(decoded, sourceLocation: sourceLocation)
    #expect(decoded.payload === frame.payload && decoded.isKeyframe == frame.isKeyframe)
    #expect(decoded.codec == frame.codec && decoded.clock == frame.clock, sourceLocation: sourceLocation)
    #expect(decoded.captureTime == frame.captureTime && decoded.bootTime == frame.bootTime)
    #expect(decoded.isClockStepped == frame.isClockStepped)
    #expect(decoded.pts == frame.pts && decoded.dts == frame.dts, sourceLocation: sourceLocation)
    #expect(decoded.width == frame.width && decoded.height == frame.height, sourceLocation: sourceLocation)
    #expect(decoded.recovery == frame.recovery && decoded.isLeading == frame.isLeading, sourceLocation: sourceLocation)
    #expect(decoded.gap == frame.gap, sourceLocation: sourceLocation)
  }

  private var plain: Frame {
    Frame(
      codec: .h265, payload: payload, isKeyframe: true, captureTime: 5, clock: .camera, pts: -7, width: 1_920,
      height: 1_080)
  }

  private var full: Frame {
    var frame = plain
    (frame.clock, frame.bootTime, frame.isClockStepped, frame.dts) = (.unsynced, .max, true, .min)
    frame.gap = Gap(frameCount: .max, reason: .restart)
    return frame
  }

  @Test func whatGoesInComesOut() throws {
    try expectSame(decode(FrameMetadata.encode(plain, boot: 9)), plain)
    try expectSame(decode(FrameMetadata.encode(full, boot: 9)), full)
    for codec in Codec.allCases {
      for clock in ClockQuality.allCases {
        var frame = plain
        (frame.codec, frame.clock) = (codec, clock)
        try expectSame(decode(FrameMetadata.encode(frame, boot: 9)), frame)
      }
    }
    for reason in Gap.Reason.allCases {
      var frame = plain
      frame.gap = Gap(frameCount: nil, reason: reason)
      try expectSame(decode(FrameMetadata.encode(frame, boot: 9)), frame)
    }
  }

  /// Rings outlive programs: these bytes must mean the same for ever.
  @Test func theBytesAreAPromise() {
    #expect(
      FrameMetadata.encode(plain) == [
        1, 1, 0, 32, 0x80, 7, 0, 0, 0x38, 4, 0, 0, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0x3b, 0x73, 0xae, 0x32, 0x76, 0x9b, 0xce, 0xeb,
      ])
    #expect(
      FrameMetadata.encode(full, boot: 9) == [
        1, 1, 3, 63, 0x80, 7, 0, 0, 0x38, 4, 0, 0, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0, 0, 0, 0, 0, 0, 0, 0x80, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        9, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
        0x3b, 0x73, 0xae, 0x32, 0x76, 0x9b, 0xce, 0xeb,
      ])
  }

  /// What resuming compares with a record in Kafka; older versions did not store it.
  @Test func theChecksumOfThePayloadIsKept() throws {
    let bytes = FrameMetadata.encode(full, boot: 9)
    #expect(decode(bytes)?.payloadChecksum == FrameMetadata.checksum(of: payload.bytes))
    var old = Array(bytes.dropLast(8))
    old[3] &= ~32
    let frame = try #require(decode(old))
    #expect(frame.payloadChecksum == nil)
    try expectSame(frame, full)
  }

  @Test func whatDecodingMustKnow() throws {
    var frame = plain
    (frame.recovery, frame.isLeading) = (300, false)
    let bytes = FrameMetadata.encode(frame)
    #expect(bytes.suffix(12).prefix(4) == [0x2c, 1, 0, 0] && bytes[3] & 0xc0 == 0x40)
    try expectSame(decode(bytes), frame)
    for count in bytes.indices { #expect(decode(Array(bytes[..<count])) == nil, "\(count) bytes") }
    (frame.recovery, frame.isLeading) = (0, true)
    try expectSame(decode(FrameMetadata.encode(frame)), frame)
    #expect(FrameMetadata.encode(frame).withUnsafeBytes { FrameMetadata.isLeading($0) })
    #expect(!FrameMetadata.encode(plain).withUnsafeBytes { FrameMetadata.isLeading($0) })
  }

  /// A time since another boot would date the frame wrongly.
  @Test func theTimeOfAnotherBootIsForgotten() throws {
    var frame = full
    let bytes = FrameMetadata.encode(frame, boot: 9)
    frame.bootTime = nil
    try expectSame(decode(bytes, boot: 10), frame)
  }

  /// Known times are of use within a boot whatever the clock was: they measure holes.
  @Test func everyClocksTimeIsKept() throws {
    var frame = plain
    frame.bootTime = 77
    try expectSame(decode(FrameMetadata.encode(frame, boot: 9)), frame)
  }

  /// What came before the clock was set is dated when somebody noted when that boot began; what was dated is left alone.
  @Test func theNoteOfAnotherBootDatesItsFrames() throws {
    var frame = full
    frame.bootTime = 3_000
    let clocks = BootClocks(text: "9 1795478400000000000\nb 5\n")
    let dated = try #require(decode(FrameMetadata.encode(frame, boot: 9), boot: 10, clocks: clocks))
    #expect(dated.captureTime == 1_795_478_400_000_003_000 && dated.clock == .corrected && dated.bootTime == nil)
    let unknown = try #require(decode(FrameMetadata.encode(frame, boot: 8), boot: 10, clocks: clocks))
    #expect(unknown.captureTime == 5 && unknown.clock == .unsynced && unknown.bootTime == nil)
    frame.clock = .gateway
    let right = try #require(decode(FrameMetadata.encode(frame, boot: 9), boot: 10, clocks: clocks))
    #expect(right.captureTime == 5 && right.clock == .gateway)
  }

  @Test func everythingElseIsRefused() {
    for whole in [FrameMetadata.encode(plain), FrameMetadata.encode(full)] {
      for count in whole.indices { #expect(decode(Array(whole[..<count])) == nil, "\(count) bytes") }
      #expect(decode(whole + [0]) == nil)
      for (index, value) in [(0, 2), (0, 0), (1, 3), (1, 255), (2, 4), (3, 64), (3, 255)] {
        var bytes = whole
        bytes[index] = UInt8(value)
        #expect(decode(bytes) == nil, "byte \(index) is \(value)")
      }
    }
    var random = SeededRandom(seed: 1)
    for _ in 0..<20_000 {
      var bytes = FrameMetadata.encode(full)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
      }
      _ = decode(bytes)
    }
  }
}
