import Backlog
import Broker
import Frames
import Posix

// Frame to record: CloudEvents 1.0 in the Kafka protocol binding's binary mode, metadata in headers, the frame's bytes
// as the value.

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
    let seconds = UInt64(max(0, nanosecondsSince1970 / 1_000_000_000))
    return GatewayIdentity(gateway: gateway, ringID: .random(in: .min ... .max), epoch: max(seconds, earliestEpoch))
  }

  /// 2026-11-24: no gateway ran before.
  static let earliestEpoch: UInt64 = 1_795_478_400

  fileprivate var ringIDText: String {
    let digits = String(ringID, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// One camera and the topic its frames go to.
package struct LaneDescription: Sendable {
  package var camera: CameraName
  package var topic: String

  package init(camera: CameraName, topic: String) { (self.camera, self.topic) = (camera, topic) }
}

/// Makes records of frames.
package struct RecordEncoder: Sendable {
  private let identity: GatewayIdentity
  private let lanes: [LaneDescription]

  package init(identity: GatewayIdentity, lanes: [LaneDescription]) {
    (self.identity, self.lanes) = (identity, lanes)
  }

  /// What key, headers and framing may add to a frame's bytes in the worst case; a frame must be smaller than
  /// `message.max.bytes` by this.
  package static let overhead = 1_024

  /// The record of an entry without its value, which is the frame's payload.
  package func record(for entry: Entry) -> OutgoingRecord {
    let lane = lanes[entry.lane.index]
    let frame = entry.frame
    let epoch = entry.epoch ?? identity.epoch
    let source = "\(identity.gateway)/\(lane.camera)"
    var headers: [(name: String, value: String)] = [
      ("ce_specversion", "1.0"),
      ("ce_type", "camgate.frame.v1"),
      ("ce_source", "/" + source),
      ("ce_id", "\(identity.ringIDText)-\(epoch)-\(entry.sequence)"),
      ("ce_time", DateTime(nanosecondsSince1970: frame.captureTime).text()),
      ("content-type", frame.codec.contentType),
      ("ce_sequence", padded(epoch, 10) + padded(entry.sequence, 20)),
      ("ce_clock", frame.clock.rawValue),
      ("ce_ptsns", String(frame.pts)),
    ]
    if let dts = frame.dts, dts != frame.pts { headers.append(("ce_dtsns", String(dts))) }
    headers.append(("ce_keyframe", frame.isKeyframe ? "1" : "0"))
    headers.append(("ce_width", String(frame.width)))
    headers.append(("ce_height", String(frame.height)))
    if let gap = frame.gap {
      headers.append(("ce_gap", gap.frameCount.map { String($0) } ?? "unknown"))
      if let duration = gap.duration { headers.append(("ce_gapns", String(duration))) }
      headers.append(("ce_gapreason", gap.reason.rawValue))
    }
    return OutgoingRecord(
      topic: lane.topic, key: source, headers: headers,
      timestamp: frame.clock == .unsynced ? 0 : frame.captureTime / 1_000_000)
  }
}
