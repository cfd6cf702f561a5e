import Posix

// Which offset may be committed. Whoever takes over must be able to decode from there, so an offset never passes the
// keyframe of a picture group that is still being read, nor the first part of a frame that is not complete: after a
// takeover the beginning of that group is processed again, and nothing is left out (at-least-once).

/// The committable offsets of the partitions one reader has.
package struct OffsetTracker {
  /// What a source is in the middle of.
  package enum Holder: Sendable, Hashable {
    /// A picture group that is being decoded.
    case group(of: String)
    /// A frame of which parts are still to come.
    case parts(of: String)
  }

  private struct Pin {
    var partition: Int32
    var offset: Int64
    var time: MonotonicTime
  }

  /// A camera that is silent for longer holds nothing back any more.
  static let patience = Duration.seconds(30)

  private var pins: [Holder: Pin] = [:]
  private var positions: [Int32: Int64] = [:]

  package init() {}

  /// Everything before `position` was read.
  package mutating func advance(partition: Int32, to position: Int64) { positions[partition] = position }

  /// `holder` needs `offset` and what follows; nil: it needs nothing it has read so far.
  package mutating func pin(_ holder: Holder, partition: Int32, offset: Int64?, now: MonotonicTime) {
    pins[holder] = offset.map { Pin(partition: partition, offset: $0, time: now) }
  }

  /// The partition went to another reader.
  package mutating func forget(partition: Int32) {
    positions[partition] = nil
    pins = pins.filter { $0.value.partition != partition }
  }

  /// The offset up to which `partition` is done with; nil when nothing of it was read.
  package func committable(partition: Int32, now: MonotonicTime) -> Int64? {
    guard let position = positions[partition] else { return nil }
    let held = pins.values.lazy.filter { $0.partition == partition && now - $0.time < OffsetTracker.patience }
    return min(position, held.map(\.offset).min() ?? position)
  }
}
