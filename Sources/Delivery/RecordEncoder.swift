import Backlog
import Broker
import Frames
import Posix
import Records

// An entry of the backlog to records for Kafka: the frame's bytes are the value, Records writes the headers. Here is what it
// takes besides the frame: who the gateway is, the topic, and the time at which the frame is dated.

/// Who this gateway is, in every key and id.
package struct GatewayIdentity: Sendable {
  /// The gateway's name, unique in its fleet.
  package let gateway: String
  /// 64 random bits for each epoch's frames, so that numbers of different buffers never meet.
  let ringIDs: RingIDs
  /// Grows with every start, so that numbers never repeat.
  package let epoch: UInt64
  /// The ring id of this run's frames.
  let ringIDText: String

  package init(gateway: String, ringIDs: RingIDs, epoch: UInt64) {
    (self.gateway, self.ringIDs, self.epoch) = (gateway, ringIDs, epoch)
    ringIDText = hexadecimal(ringIDs[epoch])
  }

  package init(gateway: String, ringID: UInt64, epoch: UInt64) {
    self.init(gateway: gateway, ringIDs: RingIDs(original: ringID), epoch: epoch)
  }

  /// The id of an entry's frame; what an earlier run has left keeps its own epoch.
  func id(of entry: Entry) -> FrameID {
    let ringID = entry.epoch.map { hexadecimal(ringIDs[$0]) } ?? ringIDText
    return FrameID(ringID: ringID, epoch: entry.epoch ?? epoch, sequence: entry.sequence)
  }

  /// The same gateway with other ring ids.
  func renewed(_ ids: RingIDs) -> GatewayIdentity { GatewayIdentity(gateway: gateway, ringIDs: ids, epoch: epoch) }

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
}

/// One camera and the topic its frames go to.
package struct LaneDescription: Sendable, Equatable {
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
  var identity: GatewayIdentity
  var lanes: [LaneDescription]
  private let clock: @Sendable () -> ClockReading?

  /// `clock` gives the time when it is known, else nil.
  package init(
    identity: GatewayIdentity, lanes: [LaneDescription],
    clock: @escaping @Sendable () -> ClockReading? = WallClock.synchronizedReading
  ) {
    (self.identity, self.lanes, self.clock) = (identity, lanes, clock)
  }

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
    let ranges = FramePart.ranges(of: payload.byteCount, partBytes: partBytes)
    let checksum = hexadecimal(FrameMetadata.checksum(of: payload.bytes))
    let id = identity.id(of: entry).text
    return ranges.enumerated().map { index, range in
      let part = FramePart(number: index + 1, count: ranges.count, groupID: id, checksum: checksum)
      var record = whole
      record.headers = part.headers(of: whole.headers)
      return Part(record: record, range: range)
    }
  }

  /// The record of an entry without its value, which is the frame's payload.
  package func record(for entry: Entry) -> OutgoingRecord {
    let lane = lanes[entry.lane.index]
    let frame = dated(entry.frame)
    let source = "\(identity.gateway)/\(lane.camera)"
    let headers = FrameHeaders.encode(
      frame, id: identity.id(of: entry), source: "/" + source,
      time: DateTime(nanosecondsSince1970: frame.captureTime).text(), isBackfill: lane.isBackfill)
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
