import Frames
import Testing

@testable import Records

/// What is written is read back; the bytes of each header are those of RecordEncoderTests.
@Suite struct FrameHeadersTests {
  private let id = FrameID(ringID: "9f2c4a117be00d35", epoch: 1_795_451_000, sequence: 48_213)

  private func frame(_ codec: Codec, isKeyframe: Bool, recovery: Int, isLeading: Bool, gap: Gap?) -> Frame {
    Frame(
      codec: codec, payload: Payload([1, 2, 3]), isKeyframe: isKeyframe, recovery: recovery, isLeading: isLeading,
      captureTime: 0, clock: .camera, pts: 5, width: 640, height: 480, gap: gap)
  }

  private func read(_ headers: [RecordHeader], _ payload: Payload = Payload([1, 2, 3])) throws -> ReceivedFrame {
    try ReceivedFrame(headers: headers, payload: payload, partition: 1, offset: 2)
  }

  @Test(arguments: Codec.allCases)
  func whatIsWrittenIsReadBack(_ codec: Codec) throws {
    for flag in [true, false] {
      let gap = flag ? Gap(frameCount: nil, reason: .restart) : Gap(frameCount: 30, reason: .evicted)
      let frame = frame(codec, isKeyframe: flag, recovery: flag ? 14 : 0, isLeading: !flag, gap: gap)
      let received = try read(
        FrameHeaders.encode(frame, id: id, source: "/dock-7/gate", time: "now", isBackfill: flag))
      #expect(received.id == id)
      #expect(received.source == "/dock-7/gate" && received.camera == "gate" && received.time == "now")
      #expect(received.codec == codec && received.isKeyframe == flag && received.isLeading == !flag)
      #expect(received.recovery == frame.recovery && received.isBackfill == flag && received.part == nil)
      #expect(received.gap == (flag ? "unknown" : "30"))
      #expect(received.sequence == "179545100000000000000000048213")
    }
  }

  @Test func partsAreReadBackUnderTheIDOfTheirFrame() throws {
    let frame = frame(.h265, isKeyframe: true, recovery: 0, isLeading: false, gap: nil)
    let whole = FrameHeaders.encode(frame, id: id, source: "/g/c", time: "now", isBackfill: false)
    for number in 1...3 {
      let part = FramePart(number: number, count: 3, groupID: id.text, checksum: hexadecimal(10))
      let received = try read(part.headers(of: whole))
      #expect(received.part == part)
      #expect(received.id == id)
      #expect(part.checksum == "000000000000000a")
    }
  }

  @Test(arguments: [(0, 4, 0), (3, 4, 1), (4, 4, 1), (5, 4, 2), (5_000, 1, 2_500)])
  func aFrameIsCutIntoAllOfItself(_ byteCount: Int, _ partBytes: Int, _ count: Int) {
    let ranges = FramePart.ranges(of: byteCount, partBytes: partBytes)
    #expect(ranges.count == count && ranges.count <= FramePart.limit)
    #expect(ranges.flatMap { Array($0) } == Array(0..<byteCount))
  }

  @Test(arguments: ["", "1", "0/1", "2/1", "-1/2", "1/0", "1/4097", "1/2/3", "a/b"])
  func strangePartsAreNone(_ text: String) { #expect(FramePart.numbers(text) == nil) }

  @Test func framesOfARingHaveAnOrder() {
    let ids = [(7, 9), (8, 1), (8, 2)].map { FrameID(ringID: "a", epoch: $0.0, sequence: $0.1) }
    #expect(ids == ids.reversed().sorted())
    #expect(ids[2].follows(ids[1]) && !ids[1].follows(ids[0]))
  }
}
