import Frames
import Posix
import Testing

@testable import Capture

/// SplitMix64 (Steele, Lea and Flood): the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}

/// NAL units with a recognisable body, in Annex B; parameter sets of the number 0, 1 or 2.
enum NAL {
  /// One after another. Not by `+`: Swift 6.0 needs minutes to type a few of them inside `#expect`.
  static func stream(_ units: [UInt8]...) -> [UInt8] { Array(units.joined()) }

  static func unit(_ header: [UInt8], _ body: UInt8, startCode: [UInt8] = [0, 0, 0, 1]) -> [UInt8] {
    startCode + header + [body, 0x80]
  }

  /// ue(v) and what fills the byte.
  private static func exponential(_ number: Int) -> UInt8 { [0x80, 0x40, 0x60][number] }

  static func sps(_ body: UInt8, _ number: Int = 0) -> [UInt8] {
    unit([0x67, 0x42, 0xc0, 0x1e, exponential(number)], body)
  }
  static func pps(_ body: UInt8, _ number: Int = 0) -> [UInt8] { unit([0x68, exponential(number)], body) }
  /// The byte after a slice's header: first_mb_in_slice 0, slice_type 7 (all I) or 5 (all P); of an H.265 slice
  /// first_slice_segment_in_pic_flag.
  static func idr(_ body: UInt8) -> [UInt8] { unit([0x65, 0x88], body) }
  static func slice(_ body: UInt8) -> [UInt8] { unit([0x41, 0x9a], body) }
  static func intraSlice(_ body: UInt8) -> [UInt8] { unit([0x41, 0x88], body) }
  /// A slice that is not the first one of its picture: first_mb_in_slice 2, slice_type 7 or 5.
  static func laterSlice(_ body: UInt8, header: UInt8 = 0x41, isIntra: Bool = false) -> [UInt8] {
    unit(isIntra ? [header, 0x62, 0x00] : [header, 0x66, 0x80], body)
  }
  static func sei(_ body: UInt8) -> [UInt8] { unit([0x06], body) }
  /// recovery_frame_cnt 0 or 9, exact_match_flag set.
  static func recoveryPoint(_ count: Int) -> [UInt8] { unit([0x06, 6, 1, count == 0 ? 0xc4 : 0x15], 0x80) }
  static let delimiter: [UInt8] = [0, 0, 0, 1, 0x09, 0xf0]

  static func vps5(_ body: UInt8, _ number: Int = 0) -> [UInt8] { unit([0x40, 0x01, UInt8(number << 4) | 0x0c], body) }
  /// The general profile, tier and level are 12 bytes; those of `layers` sub-layers have neither.
  static func sps5(_ body: UInt8, _ number: Int = 0, layers: Int = 0) -> [UInt8] {
    let general: [UInt8] = [UInt8(layers << 1) | 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x78]
    return unit([0x42, 0x01] + general + (layers > 0 ? [0, 0] : []) + [exponential(number)], body)
  }
  static func pps5(_ body: UInt8, _ number: Int = 0) -> [UInt8] { unit([0x44, 0x01, exponential(number)], body) }
  static func idr5(_ body: UInt8) -> [UInt8] { unit([0x26, 0x01, 0xaf], body) }
  /// A slice segment of any NAL unit type (H.265, table 7-1).
  static func slice5(_ type: UInt8, _ body: UInt8, isFirst: Bool = true) -> [UInt8] {
    unit([type << 1, 0x01, isFirst ? 0xaf : 0x2f], body)
  }
  static let delimiter5: [UInt8] = [0, 0, 0, 1, 0x46, 0x01, 0x50]
}

func packet(
  _ bytes: [UInt8], pts: Int64? = 0, suspect: Bool = false
) -> SourcePacket {
  SourcePacket(
    payload: Payload(bytes), pts: pts, dts: nil, arrival: ClockReading(wall: 0, boot: 0),
    isSuspect: suspect)
}

/// Whether a packet by itself says that decoding may begin there.
func isKeyframe(_ packet: SourcePacket, _ codec: Codec) -> Bool {
  withExtendedLifetime(packet.payload) {
    codec == .mjpeg || AccessUnit(packet.payload.bytes, codec: codec).recovery != nil
  }
}

/// The NAL units of `bytes` with their kinds.
func units(_ bytes: [UInt8], _ codec: Codec) -> [(kind: NALUnit.Kind, bytes: [UInt8])] {
  bytes.withUnsafeBytes { buffer in NALUnitSequence(buffer, codec: codec).map { ($0.kind, Array($0.bytes)) } }
}

extension Payload {
  /// A copy of the bytes. `Array(payload.bytes)` of a payload that nobody else holds would read them after its end.
  var array: [UInt8] { withExtendedLifetime(self) { Array(bytes) } }
}
