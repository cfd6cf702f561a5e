import CXXHash
import Frames
import Records

// Frames above the cluster's record limit come in parts, one after another on the same partition. Memory is bounded: one
// unfinished frame a source; the next frame of the source gives it up.

/// Puts split frames together.
package struct Reassembler {
  private struct Unfinished {
    var first: ReceivedFrame
    var part: FramePart
    var payloads: [Payload?]
    var missingCount: Int
  }

  private var unfinished: [String: Unfinished] = [:]
  /// Frames given up because a part never came or the checksum was wrong.
  package private(set) var incompleteCount = 0

  package init() {}

  /// Takes a record; returns the whole frame once it is there. A doubled part is ignored.
  package mutating func take(_ frame: ReceivedFrame) -> ReceivedFrame? {
    let source = frame.source
    guard let part = frame.part else {
      if unfinished.removeValue(forKey: source) != nil { incompleteCount += 1 }
      return frame
    }
    var current = Unfinished(
      first: frame, part: part, payloads: Array(repeating: nil, count: part.count), missingCount: part.count)
    if let known = unfinished.removeValue(forKey: source) {
      if known.part.groupID == part.groupID && known.part.count == part.count {
        current = known
      } else {
        incompleteCount += 1
      }
    }
    if current.payloads[part.number - 1] == nil {
      current.payloads[part.number - 1] = frame.payload
      current.missingCount -= 1
    }
    guard current.missingCount == 0 else {
      unfinished[source] = current
      return nil
    }
    var whole = current.first
    whole.part = nil
    whole.payload = Payload(joining: current.payloads.compactMap { $0?.bytes })
    let sum = XXH3_64bits(whole.payload.bytes.baseAddress, whole.payload.byteCount)
    guard UInt64(part.checksum, radix: 16) == sum else {
      incompleteCount += 1
      return nil
    }
    return whole
  }

  /// Offset of the first part that was read of the frame a source is in the middle of; nil when it is in none.
  package func unfinishedOffset(source: String) -> Int64? { unfinished[source]?.first.offset }

  /// Forgets what a source had begun.
  package mutating func forget(source: String) { unfinished[source] = nil }
}
