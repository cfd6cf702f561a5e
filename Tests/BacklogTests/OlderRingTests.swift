import DiskRing
import Frames
import Posix
import Testing

@testable import Backlog

/// A card with a ring of an older version is put into a gateway of this one.
@Suite struct OlderRingTests {
  private static let options = RingOptions(
    size: .bytes(1 << 20 + 6 << 15), segmentByteCount: 32 << 10, minimumEpoch: 1_700_000_000)
  private let start = MonotonicTime(nanoseconds: 0)

  /// What a stream of the fixture has to give, in order: everything not sent, from the first keyframe on.
  private static func keys(from first: UInt64) -> [RecordKey] {
    (first...300).map { RecordKey(epoch: 1_700_000_000, sequence: $0) }
      + (1...34).map { RecordKey(epoch: 1_700_000_001, sequence: $0) }
  }

  /// Reads a stream to its end, checks every frame and finishes it.
  private func send(_ ring: Ring, _ stream: StreamID, as index: Int) throws -> [RecordKey] {
    var (keys, mark): ([RecordKey], Mark) = ([], ring.cursor(of: stream).finished)
    while case .record(let record, _) = ring.next(in: stream, after: mark) {
      guard case .bytes(let bytes) = ring.read(record) else { break }
      let payload = Payload(adopting: bytes.payload) { _ = bytes }
      let frame = try #require(
        FrameMetadata.decode(
          bytes.metadata, payload: payload, isKeyframe: record.isKeyframe, captureTime: record.captureTime))
      let sequence = Int(record.key.sequence)
      let expected = [UInt8](repeating: UInt8(truncatingIfNeeded: sequence + index), count: 100 + sequence * 7 % 300)
      #expect(frame.payload.bytes.elementsEqual(expected) && frame.codec == (index == 0 ? .h264 : .mjpeg))
      #expect(frame.pts == Int64(sequence) * 40_000_000 && (frame.dts != nil) == (sequence % 3 == 0))
      keys.append(record.key)
      mark = record.mark
    }
    ring.finish(stream, through: mark, position: LogPosition(partition: Int32(index), offset: 1_000))
    return keys
  }

  private func append(_ ring: Ring, _ stream: StreamID, _ sequence: Int, as index: Int) throws {
    let payload = [UInt8](repeating: UInt8(truncatingIfNeeded: sequence + index), count: 100 + sequence * 7 % 300)
    var new = frame(Payload(payload))
    (new.codec, new.pts) = (index == 0 ? .h264 : .mjpeg, Int64(sequence) * 40_000_000)
    if sequence % 3 == 0 { new.dts = 0 }
    let record = NewRecord(
      stream: stream, key: RecordKey(epoch: ring.epoch, sequence: UInt64(sequence)), isKeyframe: true, captureTime: 0,
      metadata: FrameMetadata.encode(new))
    while payload.withUnsafeBytes({ ring.append(record, payload: [$0], now: start) }) == .notNow {
      ring.flush(now: start)
    }
  }

  /// Nothing of it is lost or sent twice, and segment by segment the ring becomes one of this version.
  @Test(arguments: ["version-1"])
  func isSentToTheEndAndRenewed(fixture: String) throws {
    let image = try RingImage(fixture)
    var ring = try Ring.open(try PosixStorage(path: image.path), OlderRingTests.options)
    #expect(ring.epoch >= 1_700_000_002 && !ring.recovery.hasDamage)
    let names = ["gate", "yard"].map { StreamDescription(name: $0, topic: "cameras") }
    var streams = try names.map { try ring.register($0) }
    for (index, first) in [191, 184].enumerated() {
      let keys = try send(ring, streams[index], as: index)
      let isWhole = keys == OlderRingTests.keys(from: UInt64(first))
      #expect(isWhole, "\(names[index].name) gave \(keys.count) frames from \(String(describing: keys.first)) on")
    }
    for sequence in 1...250 {
      for index in 0...1 { try append(ring, streams[index], sequence, as: index) }
      if sequence % 50 == 0 {
        for index in 0...1 {
          let keys = try send(ring, streams[index], as: index)
          let isWhole = keys.map { Int($0.sequence) } == Array((sequence - 49)...sequence)
          #expect(isWhole, "\(keys.count) of 50 frames up to \(sequence)")
        }
      }
    }
    ring.flush(now: start)
    let epoch = ring.epoch
    ring.close()

    ring = try Ring.open(try PosixStorage(path: image.path), OlderRingTests.options)
    #expect(!ring.recovery.hasDamage && ring.epoch > epoch)
    streams = try names.map { try ring.register($0) }
    for index in 0...1 {
      let keys = try send(ring, streams[index], as: index)
      #expect(keys.isEmpty, "what was sent is not sent again")
    }
    ring.close()
  }
}
