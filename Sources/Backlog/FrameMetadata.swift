import CXXHash
import Frames
import Posix

// What the disk keeps of a frame besides its bytes: the ring stores it with the payload and does not look into it.
// Little-endian. Number, capture time and keyframe bit are the ring's own.
//
//   version 1 · codec 1 · clock 1 · flags 1 · width 4 · height 4 · pts 8
//   · dts 8 when flag 1 · gap reason 1 when flag 2 · gap count 8 when flag 4 · boot 8 · boot time 8 when flag 16
//   · recovery 4 when flag 64 · XXH3-64 of the payload 8 when flag 32
//
// Flag 8: the clock was stepped. Flag 128: a leading picture. A time since the machine was started means nothing after it
// was started again, so the boot is noted with it: the first 16 digits of its id (random(4), boot_id). Flag 32 is set in
// everything this version writes.

/// The coding of a frame's metadata.
package enum FrameMetadata {
  static let version: UInt8 = 1

  private enum Flag {
    static let hasDTS: UInt8 = 1
    static let hasGap: UInt8 = 2
    static let hasGapCount: UInt8 = 4
    static let isClockStepped: UInt8 = 8
    static let hasBootTime: UInt8 = 16
    static let hasPayloadChecksum: UInt8 = 32
    static let hasRecovery: UInt8 = 64
    static let isLeading: UInt8 = 128
  }

  // The numbers on disk. Never change one; new ones go to the end.
  private static let codecs: [Codec] = [.h264, .h265, .mjpeg]
  private static let qualities: [ClockQuality] = [.camera, .gateway, .corrected, .unsynced]
  private static let reasons: [Gap.Reason] = [
    .network, .camera, .damaged, .overload, .evicted, .thinned, .oversize, .quarantined, .restart,
    .limited,
  ]

  /// Which boot of the machine this is; 0 when it does not say.
  static let presentBoot: UInt64 = {
    let bytes = (try? Files.read("/proc/sys/kernel/random/boot_id", limit: 64)) ?? []
    let digits = String(decoding: bytes, as: UTF8.self).filter(\.isHexDigit).prefix(16)
    return UInt64(digits, radix: 16) ?? 0
  }()

  /// XXH3-64 without a seed (the xxHash specification) of a frame's bytes: what `Frame.payloadChecksum` says of a frame
  /// that was read back from disk, and what a record in Kafka is compared with before it counts as that frame.
  package static func checksum(of payload: UnsafeRawBufferPointer) -> UInt64 {
    XXH3_64bits(payload.baseAddress, payload.count)
  }

  static func encode(_ frame: Frame, boot: UInt64 = presentBoot) -> [UInt8] {
    var bytes = [version, number(of: frame.codec, in: codecs), number(of: frame.clock, in: qualities), 0]
    bytes.reserveCapacity(65)
    put(UInt32(clamping: frame.width), into: &bytes)
    put(UInt32(clamping: frame.height), into: &bytes)
    put(frame.pts, into: &bytes)
    if let dts = frame.dts {
      bytes[3] |= Flag.hasDTS
      put(dts, into: &bytes)
    }
    if let gap = frame.gap {
      bytes[3] |= Flag.hasGap
      bytes.append(number(of: gap.reason, in: reasons))
      if let count = gap.frameCount {
        bytes[3] |= Flag.hasGapCount
        put(count, into: &bytes)
      }
    }
    if frame.isClockStepped { bytes[3] |= Flag.isClockStepped }
    if let bootTime = frame.bootTime {
      bytes[3] |= Flag.hasBootTime
      put(boot, into: &bytes)
      put(bootTime, into: &bytes)
    }
    if frame.isKeyframe, frame.recovery > 0 {
      bytes[3] |= Flag.hasRecovery
      put(UInt32(clamping: frame.recovery), into: &bytes)
    }
    if frame.isLeading { bytes[3] |= Flag.isLeading }
    bytes[3] |= Flag.hasPayloadChecksum
    put(frame.payloadChecksum ?? checksum(of: frame.payload.bytes), into: &bytes)
    return bytes
  }

  /// The frame; nil when the bytes are not those of this version. One of an earlier boot that came before the clock was set
  /// is dated by `clocks`, which know when that boot began, if anybody does.
  static func decode(
    _ bytes: UnsafeRawBufferPointer, payload: Payload, isKeyframe: Bool, captureTime: Int64, boot: UInt64 = presentBoot,
    clocks: BootClocks = BootClocks()
  ) -> Frame? {
    var reader = Reader(bytes: bytes)
    guard reader.take() == version, let codec = value(reader.take(), in: codecs),
      let clock = value(reader.take(), in: qualities), let flags: UInt8 = reader.take(),
      let width: UInt32 = reader.take(), let height: UInt32 = reader.take(), let pts: Int64 = reader.take()
    else { return nil }
    var frame = Frame(
      codec: codec, payload: payload, isKeyframe: isKeyframe, captureTime: captureTime, clock: clock, pts: pts,
      width: Int(width), height: Int(height))
    if flags & Flag.hasDTS != 0 {
      guard let dts: Int64 = reader.take() else { return nil }
      frame.dts = dts
    }
    if flags & Flag.hasGap != 0 {
      guard let reason = value(reader.take(), in: reasons) else { return nil }
      frame.gap = Gap(frameCount: nil, reason: reason)
    }
    if flags & Flag.hasGapCount != 0 {
      guard let count: UInt64 = reader.take(), frame.gap != nil else { return nil }
      frame.gap?.frameCount = count
    }
    frame.isClockStepped = flags & Flag.isClockStepped != 0
    if flags & Flag.hasBootTime != 0 {
      guard let itsBoot: UInt64 = reader.take(), let bootTime: Int64 = reader.take() else { return nil }
      if itsBoot == boot {
        frame.bootTime = bootTime
      } else if frame.clock == .unsynced, let time = clocks.wall(boot: itsBoot, bootTime: bootTime) {
        (frame.captureTime, frame.clock) = (time, .corrected)
      }
    }
    if flags & Flag.hasRecovery != 0 {
      guard let recovery: UInt32 = reader.take(), recovery > 0 else { return nil }
      frame.recovery = Int(recovery)
    }
    frame.isLeading = flags & Flag.isLeading != 0
    if flags & Flag.hasPayloadChecksum != 0 {
      guard let checksum: UInt64 = reader.take() else { return nil }
      frame.payloadChecksum = checksum
    }
    return reader.isAtEnd ? frame : nil
  }

  /// What a record's payload is; nil when its metadata is not of this version.
  package static func codec(of bytes: UnsafeRawBufferPointer) -> Codec? {
    bytes.count >= 2 && bytes[0] == version ? value(bytes[1], in: codecs) : nil
  }

  /// Whether a record's picture is of no use where decoding begins at the keyframe before it.
  package static func isLeading(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 4 && bytes[0] == version && bytes[3] & Flag.isLeading != 0
  }

  private static func number<Value: Equatable>(of value: Value, in table: [Value]) -> UInt8 {
    guard let index = table.firstIndex(of: value) else { preconditionFailure("\(value) has no number on disk") }
    return UInt8(index)
  }

  private static func value<Value>(_ number: UInt8?, in table: [Value]) -> Value? {
    number.flatMap { Int($0) < table.count ? table[Int($0)] : nil }
  }

  private static func put<Value: FixedWidthInteger>(_ value: Value, into bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private struct Reader {
    let bytes: UnsafeRawBufferPointer
    var offset = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func take<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value? {
      guard bytes.count - offset >= MemoryLayout<Value>.size else { return nil }
      defer { offset += MemoryLayout<Value>.size }
      return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
  }
}
