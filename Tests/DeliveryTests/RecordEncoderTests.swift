import Broker
import Frames
import Posix
import Records
import Testing

@testable import Backlog
@testable import Delivery

/// What a record looks like, byte for byte.
@Suite struct RecordEncoderTests {
  private let lane = LaneDescription(camera: CameraName("gate")!, topic: "cameras")

  private func frame() -> Frame {
    Frame(
      codec: .h264, payload: Payload([0, 0, 0, 1, 0x67]), isKeyframe: true,
      captureTime: 1_795_460_400_123_456_789, clock: .camera, pts: 803_912_000_000, width: 1_920, height: 1_080)
  }

  private func record(_ frame: Frame, sequence: UInt64 = 48_213) -> OutgoingRecord {
    let identity = GatewayIdentity(gateway: "dock-7", ringID: 0x9f2c_4a11_7be0_0d35, epoch: 1_795_451_000)
    return RecordEncoder(identity: identity, lanes: [lane])
      .record(for: Entry(lane: Lane(index: 0), sequence: sequence, frame: frame, arrivalOrder: 0))
  }

  private func lines(_ record: OutgoingRecord) -> [String] { record.headers.map { "\($0.name) \($0.value)" } }

  @Test func theExampleOfTheDocumentation() {
    let record = record(frame())
    #expect(record.topic == "cameras")
    #expect(record.key == "dock-7/gate")
    #expect(record.timestamp == 1_795_460_400_123)
    #expect(
      lines(record) == [
        "ce_specversion 1.0",
        "ce_type camgate.frame.v1",
        "ce_source /dock-7/gate",
        "ce_id 9f2c4a117be00d35-1795451000-48213",
        "ce_time 2026-11-23T19:00:00.123456789Z",
        "content-type video/h264",
        "ce_sequence 179545100000000000000000048213",
        "ce_clock camera",
        "ce_ptsns 803912000000",
        "ce_keyframe 1",
        "ce_width 1920",
        "ce_height 1080",
      ])
  }

  @Test func whatDecodingMustKnow() {
    var frame = frame()
    frame.recovery = 14
    #expect(lines(record(frame)).contains("ce_recovery 14"))
    (frame.isKeyframe, frame.recovery, frame.isLeading) = (false, 0, true)
    #expect(lines(record(frame)).contains("ce_leading 1"))
    #expect(!lines(record(frame)).contains { $0.hasPrefix("ce_recovery") })
  }

  @Test func decodingTimeOnlyWhereItDiffers() {
    var frame = frame()
    frame.dts = frame.pts
    #expect(!record(frame).headers.contains { $0.name == "ce_dtsns" })
    frame.dts = -40_000_000
    #expect(lines(record(frame)).contains("ce_dtsns -40000000"))
  }

  @Test(arguments: [
    (Gap(frameCount: 30, reason: .overload), ["ce_gap 30", "ce_gapreason overload"]),
    (
      Gap(frameCount: nil, reason: .network, duration: 2_500_000_000),
      ["ce_gap unknown", "ce_gapns 2500000000", "ce_gapreason network"]
    ),
    (Gap(frameCount: nil, reason: .restart), ["ce_gap unknown", "ce_gapreason restart"]),
  ])
  func gapsAreTold(_ gap: Gap, _ expected: [String]) {
    var frame = frame()
    frame.gap = gap
    #expect(lines(record(frame)).filter { $0.hasPrefix("ce_gap") } == expected)
  }

  @Test func everyOtherValue() {
    var frame = frame()
    (frame.codec, frame.isKeyframe) = (.mjpeg, false)
    #expect(lines(record(frame)).contains("content-type image/jpeg"))
    #expect(lines(record(frame)).contains("ce_keyframe 0"))
    frame.codec = .h265
    #expect(lines(record(frame)).contains("content-type video/h265"))
    for clock in ClockQuality.allCases {
      frame.clock = clock
      #expect(lines(record(frame)).contains("ce_clock \(clock.rawValue)"))
      // A clock that was never set would make Kafka delete the record, or refuse it.
      #expect(record(frame).timestamp == (clock == .unsynced ? 0 : 1_795_460_400_123))
    }
  }

  /// A board without a battery films for three days before it is told the time, then sends what it kept.
  @Test func framesOfTheTimeBeforeTheClockWasSetAreDatedRightWhenTheyAreSent() throws {
    let day: Int64 = 86_400_000_000_000
    var frame = frame()
    (frame.clock, frame.captureTime, frame.bootTime) = (.unsynced, WallClock.earliest, day)
    let identity = GatewayIdentity(gateway: "dock-7", ringID: 1, epoch: 1)
    let entry = Entry(lane: Lane(index: 0), sequence: 1, frame: frame, arrivalOrder: 0)
    let early = RecordEncoder(identity: identity, lanes: [lane], clock: { nil }).record(for: entry)
    #expect(lines(early).contains("ce_clock unsynced") && early.timestamp == 0)
    let now = ClockReading(wall: 1_800_000_000_123_456_789, boot: 4 * day)
    let late = RecordEncoder(identity: identity, lanes: [lane], clock: { now }).record(for: entry)
    #expect(lines(late).contains("ce_clock corrected"))
    #expect(late.timestamp == 1_800_000_000_123 - 3 * 86_400_000)
    #expect(lines(late).contains("ce_time " + DateTime(nanosecondsSince1970: now.wall - 3 * day).text()))
    // What was dated by a good clock is left alone, and so is what nobody can date.
    frame.clock = .gateway
    let good = Entry(lane: Lane(index: 0), sequence: 1, frame: frame, arrivalOrder: 0)
    let encoder = RecordEncoder(identity: identity, lanes: [lane], clock: { now })
    #expect(lines(encoder.record(for: good)).contains("ce_clock gateway"))
    (frame.clock, frame.bootTime) = (.unsynced, nil)
    let lost = Entry(lane: Lane(index: 0), sequence: 1, frame: frame, arrivalOrder: 0)
    #expect(lines(encoder.record(for: lost)).contains("ce_clock unsynced"))
  }

  @Test func aStepOfTheClockIsMarked() {
    var frame = frame()
    #expect(!lines(record(frame)).contains { $0.hasPrefix("ce_clockstep") })
    frame.isClockStepped = true
    #expect(lines(record(frame)).contains("ce_clockstep 1"))
  }

  @Test func sequencesCompareAsText() throws {
    func sequence(_ number: UInt64) throws -> String {
      try #require(record(frame(), sequence: number).headers.first { $0.name == "ce_sequence" }).value
    }
    let texts = try [1, 9, 10, 99_999_999_999, UInt64.max].map(sequence)
    #expect(texts == texts.sorted())
    #expect(texts.allSatisfy { $0.count == 30 })
  }

  private func largest(gateway: String, camera: String, sequence: UInt64, number: Int64) -> OutgoingRecord {
    var frame = frame()
    (frame.clock, frame.pts, frame.dts, frame.captureTime) = (.corrected, number, number + 1, number)
    (frame.width, frame.height, frame.isClockStepped) = (65_536, 65_536, true)
    frame.gap = Gap(frameCount: sequence, reason: .quarantined, duration: number)
    let identity = GatewayIdentity(gateway: gateway, ringID: .max, epoch: 9_999_999_999)
    let lane = LaneDescription(camera: CameraName(camera)!, topic: "t")
    return RecordEncoder(identity: identity, lanes: [lane])
      .record(for: Entry(lane: Lane(index: 0), sequence: sequence, frame: frame, arrivalOrder: 0))
  }

  private func headerBytes(_ record: OutgoingRecord) -> Int {
    record.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
  }

  /// Every header of a whole frame at once, names of 40 characters, a century of frames: what README.md says.
  @Test func headersAreShort() {
    let name = String(repeating: "n", count: 40)
    let record = largest(gateway: name, camera: name, sequence: 100_000_000_000, number: 9_000_000_000_000_000_000)
    #expect(headerBytes(record) < 500)
  }

  /// Else a frame that the backlog admits would be refused by librdkafka.
  @Test func nothingTheSettingsAllowIsAboveTheOverhead() {
    let record = largest(
      gateway: String(repeating: "g", count: 128), camera: String(repeating: "c", count: 63), sequence: .max,
      number: .min)
    // A record batch's header, and a record's lengths and time (Kafka protocol guide, "Record Batch").
    let partHeaders = 3
    let framing = 61 + 35 + (record.headers.count + partHeaders) * 4
    let part = ".4096".utf8.count + "ce_chunk4096/4096ce_checksum0123456789abcdef".utf8.count
    let id = record.headers.first { $0.name == "ce_id" }.map { "ce_chunkid".utf8.count + $0.value.utf8.count } ?? 0
    let backfill = "ce_backfill1".utf8.count + 4
    #expect(
      headerBytes(record) + part + id + backfill + record.key.utf8.count + framing < FrameHeaders.overhead)
  }

  private func parts(_ payload: [UInt8], partBytes: Int) -> [RecordEncoder.Part] {
    var frame = frame()
    frame.payload = Payload(payload)
    let identity = GatewayIdentity(gateway: "dock-7", ringID: 0x9f2c_4a11_7be0_0d35, epoch: 1_795_451_000)
    return RecordEncoder(identity: identity, lanes: [lane])
      .parts(of: Entry(lane: Lane(index: 0), sequence: 9, frame: frame, arrivalOrder: 0), partBytes: partBytes)
  }

  @Test func aFrameThatFitsIsOneRecordWithoutPartHeaders() {
    let parts = parts([1, 2, 3], partBytes: 3)
    #expect(parts.map(\.range) == [0..<3])
    #expect(!parts[0].record.headers.contains { $0.name.hasPrefix("ce_chunk") || $0.name == "ce_checksum" })
  }

  @Test func aLargerFrameIsSeveralRecords() {
    let parts = parts(Array(0..<10), partBytes: 4)
    #expect(parts.map(\.range) == [0..<4, 4..<8, 8..<10])
    let id = "9f2c4a117be00d35-1795451000-9"
    for (index, part) in parts.enumerated() {
      let lines = lines(part.record)
      #expect(lines.contains("ce_id \(id).\(index + 1)"))
      // XXH3 of the bytes 0 to 9, by xxhsum -H3.
      #expect(
        lines.suffix(3) == ["ce_chunk \(index + 1)/3", "ce_chunkid \(id)", "ce_checksum ab69a08ef83d8f77"])
      #expect(part.record.key == "dock-7/gate")
      let whole = self.lines(record(frame(), sequence: 9)).filter { !$0.hasPrefix("ce_id") }
      #expect(lines.filter { !$0.hasPrefix("ce_id") }.dropLast(3) == whole[...])
    }
  }

  /// No reader takes more parts.
  @Test func aFrameHasNoMorePartsThanReadersTake() {
    #expect(parts(Array(repeating: 0, count: 5_000), partBytes: 1).count <= FramePart.limit)
    #expect(FrameHeaders.largestFrame(messageMaxBytes: 16 << 10) >= 32 << 20)
  }

  @Test func onlyLateFramesAreMarked() {
    #expect(!record(frame()).headers.contains { $0.name == "ce_backfill" })
    let late = LaneDescription(camera: CameraName("gate")!, topic: "late", isBackfill: true)
    let encoder = RecordEncoder(identity: GatewayIdentity(gateway: "g", ringID: 1, epoch: 1), lanes: [late])
    let record = encoder.record(for: Entry(lane: Lane(index: 0), sequence: 1, frame: frame(), arrivalOrder: 0))
    #expect(record.topic == "late")
    #expect(record.headers.last.map { "\($0.name) \($0.value)" } == "ce_backfill 1")
  }

  @Test func anIdentityNeverRepeats() {
    let first = GatewayIdentity.ephemeral(gateway: "g", nanosecondsSince1970: 1_800_000_000_999_999_999)
    let second = GatewayIdentity.ephemeral(gateway: "g", nanosecondsSince1970: 1_800_000_000_999_999_999)
    #expect(first.epoch == 1_800_000_000)
    #expect(first.ringIDText != second.ringIDText)
    for wrongClock in [0, -1, Int64.min] {
      let identity = GatewayIdentity.ephemeral(gateway: "g", nanosecondsSince1970: wrongClock)
      #expect(identity.epoch == GatewayIdentity.earliestEpoch)
    }
  }
}
