import Backlog
import CXXHash
import Frames

// Whether what lies in Kafka under a frame's id is that frame. Others may write to the topic, too, and ids can be read there:
// only what has the frame's length and checksum counts, so nobody can keep a frame from being sent, at worst a record lies
// twice. A frame in parts is put together in their order; whatever is out of order is not put together.

/// What tells the bytes of one frame from those of another: neither depends on the parts that it came in.
struct FrameFingerprint: Hashable, Sendable {
  var byteCount: Int
  /// XXH3-64, as the ring stores it (Backlog, FrameMetadata).
  var checksum: UInt64

  init(byteCount: Int, checksum: UInt64) { (self.byteCount, self.checksum) = (byteCount, checksum) }

  init(_ value: UnsafeRawBufferPointer) {
    self.init(byteCount: value.count, checksum: FrameMetadata.checksum(of: value))
  }

  init(_ frame: Frame) {
    self.init(
      byteCount: frame.payload.byteCount,
      checksum: frame.payloadChecksum ?? FrameMetadata.checksum(of: frame.payload.bytes))
  }
}

/// A frame as it was found in Kafka.
struct RecordedFrame: Hashable, Sendable {
  var fingerprint: FrameFingerprint
  /// Where it lies; its last part, when it came in parts.
  var offset: Int64
}

/// The parts of one frame, of which the first ones have come. Used by one thread.
final class PartAssembly {
  private let partCount: Int
  private var nextPart = 1
  private var byteCount = 0
  /// XXH3_createState: freed in `deinit` (xxhash.h).
  private let state = XXH3_createState()
  /// The offset of the part that came last.
  private(set) var offset: Int64 = -1

  init(partCount: Int) { self.partCount = partCount }

  deinit { XXH3_freeState(state) }

  /// Takes part `number` (from 1); the frame, when that was the last one. The first part starts over; one that is not the
  /// next is ignored.
  func take(_ number: Int, _ value: UnsafeRawBufferPointer, offset: Int64) -> FrameFingerprint? {
    if number == 1 {
      (nextPart, byteCount) = (1, 0)
      XXH3_64bits_reset(state)
    }
    guard number == nextPart else { return nil }
    XXH3_64bits_update(state, value.baseAddress, value.count)
    (nextPart, byteCount, self.offset) = (number + 1, byteCount + value.count, offset)
    return number == partCount
      ? FrameFingerprint(byteCount: byteCount, checksum: XXH3_64bits_digest(state)) : nil
  }
}
