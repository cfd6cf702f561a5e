import Backlog
import Broker
import CXXHash
import Frames
import Posix

// Frame to record: CloudEvents 1.0 in the Kafka protocol binding's binary mode, metadata in headers, the frame's bytes
// as the value. A frame that is too large for one record becomes several, which share a chunk id and a checksum.

/// Who this gateway is, in every key and id.
package struct GatewayIdentity: Sendable {
  /// The gateway's name, unique in its fleet.
  package let gateway: String
  /// 64 random bits, so that numbers of different buffers never meet.
  package let ringID: UInt64
  /// Grows with every start, so that numbers never repeat.
  package let epoch: UInt64

  package init(gateway: String, ringID: UInt64, epoch: UInt64) {
    (self.gateway, self.ringID, self.epoch) = (gateway, ringID, epoch)
  }

  /// The identity of a process without a disk ring: a new id, and the clock as the epoch, though never less than
  /// `earliestEpoch`, because boards start with a clock that is wrong.
  package static func ephemeral(gateway: String, nanosecondsSince1970: Int64) -> GatewayIdentity {
    GatewayIdentity(
      gateway: gateway, ringID: .random(in: .min ... .max), epoch: newEpoch(nanosecondsSince1970: nanosecondsSince1970))
  }

  /// What the epoch of a process or of a new ring begins with.
  package static func newEpoch(
    nanosecondsSince1970: Int64 = WallClock.nanosecondsSince1970()
  ) -> UInt64 { max(UInt64(max(0, nanosecondsSince1970 / 1_000_000_000)), earliestEpoch) }

  static let earliestEpoch = UInt64(WallClock.earliest / 1_000_000_000)

  fileprivate var ringIDText: String { hexadecimal(ringID) }
}

/// One camera and the topic its frames go to.
package struct LaneDescription: Sendable {
  package var camera: CameraName
  package var topic: String
  /// Its frames are older than what goes out live at the same time.
  package var isBackfill: Bool

  package init(camera: CameraName, topic: String, isBackfill: Bool = false) {
    (self.camera, self.topic, self.isBackfill) = (camera, topic, isBackfill)
  }
}

/// Makes records of frames.
package struct RecordEncoder: Sendable {
  private let identity: GatewayIdentity
  private let lanes: [LaneDescription]
  private let clock: @Sendable () -> ClockReading?

  /// `clock` gives the time when it is known, else nil.
  package init(
    identity: GatewayIdentity, lanes: [LaneDescription],
    clock: @escaping @Sendable () -> ClockReading? = WallClock.synchronizedReading
  ) {
    (self.identity, self.lanes, self.clock) = (identity, lanes, clock)
  }

  /// What key, headers and framing may add to a frame's bytes in the worst case; a frame must be smaller than
  /// `message.max.bytes` by this.
  package static let overhead = 1_280
  /// More parts than this no reader takes.
  package static let partLimit = 4_096

  /// The largest frame that can be sent in records of `messageMaxBytes`.
  package static func largestFrame(messageMaxBytes: Int) -> Int { (messageMaxBytes - overhead) * partLimit }

  /// A record and the bytes of the payload that are its value.
  package struct Part {
    package var record: OutgoingRecord
    package var range: Range<Int>
  }

  /// The records of an entry: one, or as many as it takes when the frame has more than `partBytes`.
  package func parts(of entry: Entry, partBytes: Int) -> [Part] {
    let payload = entry.frame.payload
    let whole = record(for: entry)
    if payload.byteCount <= partBytes { return [Part(record: whole, range: 0..<payload.byteCount)] }
    let partBytes = max(partBytes, (payload.byteCount + RecordEncoder.partLimit - 1) / RecordEncoder.partLimit)
    let starts = Array(stride(from: 0, to: payload.byteCount, by: partBytes))
    let checksum = hexadecimal(XXH3_64bits(payload.bytes.baseAddress, payload.byteCount))
    let id = identifier(of: entry)
    return starts.enumerated().map { index, start in
      var record = whole
      for position in record.headers.indices where record.headers[position].name == "ce_id" {
        record.headers[position].value = "\(id).\(index + 1)"
      }
      record.headers.append(("ce_chunk", "\(index + 1)/\(starts.count)"))
      record.headers.append(("ce_chunkid", id))
      record.headers.append(("ce_checksum", checksum))
      return Part(record: record, range: start..<min(start + partBytes, payload.byteCount))
    }
  }

  private func identifier(of entry: Entry) -> String { "\(identity.ringIDText)-\(epoch(of: entry))-\(entry.sequence)" }

  /// What an earlier run has left goes out under its own epoch.
  private func epoch(of entry: Entry) -> UInt64 { entry.epoch ?? identity.epoch }

  /// The record of an entry without its value, which is the frame's payload.
  package func record(for entry: Entry) -> OutgoingRecord {
    let lane = lanes[entry.lane.index]
    let frame = dated(entry.frame)
    let source = "\(identity.gateway)/\(lane.camera)"
    var headers: [(name: String, value: String)] = [
      ("ce_specversion", "1.0"),
      ("ce_type", "camgate.frame.v1"),
      ("ce_source", "/" + source),
      ("ce_id", identifier(of: entry)),
      ("ce_time", DateTime(nanosecondsSince1970: frame.captureTime).text()),
      ("content-type", frame.codec.contentType),
      ("ce_sequence", padded(epoch(of: entry), 10) + padded(entry.sequence, 20)),
      ("ce_clock", frame.clock.rawValue),
      ("ce_ptsns", String(frame.pts)),
    ]
    if frame.isClockStepped { headers.append(("ce_clockstep", "1")) }
    if let dts = frame.dts, dts != frame.pts { headers.append(("ce_dtsns", String(dts))) }
    headers.append(("ce_keyframe", frame.isKeyframe ? "1" : "0"))
    if frame.isKeyframe, frame.recovery > 0 { headers.append(("ce_recovery", String(frame.recovery))) }
    if frame.isLeading { headers.append(("ce_leading", "1")) }
    headers.append(("ce_width", String(frame.width)))
    headers.append(("ce_height", String(frame.height)))
    if let gap = frame.gap {
      headers.append(("ce_gap", gap.frameCount.map { String($0) } ?? "unknown"))
      if let duration = gap.duration { headers.append(("ce_gapns", String(duration))) }
      headers.append(("ce_gapreason", gap.reason.rawValue))
    }
    if lane.isBackfill { headers.append(("ce_backfill", "1")) }
    return OutgoingRecord(
      topic: lane.topic, key: source, headers: headers,
      timestamp: frame.clock == .unsynced ? 0 : frame.captureTime / 1_000_000)
  }

  /// A frame of the time before the clock was set is dated as if it had been: this boot's clock that never steps says
  /// how long ago it was.
  private func dated(_ frame: Frame) -> Frame {
    guard frame.clock == .unsynced, let bootTime = frame.bootTime, let now = clock() else { return frame }
    var frame = frame
    (frame.captureTime, frame.clock) = (now.wall(atBoot: bootTime), .corrected)
    return frame
  }
}
