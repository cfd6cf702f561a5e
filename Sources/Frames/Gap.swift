// What is missing between two frames of one camera: counted where somebody could count, never silent.

/// A hole in front of a frame.
package struct Gap: Sendable, Equatable {
  /// Why frames are missing.
  package enum Reason: String, Sendable, CaseIterable {
    /// Lost or late on the way from the camera: packet loss, reconnect.
    case network
    /// The camera was silent or ended the stream.
    case camera
    /// Known to be damaged, dropped up to the next keyframe.
    case damaged
    /// The memory budget was full.
    case overload
    /// The disk ring was full.
    case evicted
    /// Only keyframes were admitted.
    case thinned
    /// Larger than a record or a segment may be.
    case oversize
    /// Beyond its camera's limits.
    case limited
    /// Refused by Kafka for good.
    case quarantined
    /// Process or power died with frames in memory.
    case restart
  }

  /// How many frames are missing; nil where nobody could count them.
  package var frameCount: UInt64?
  /// Why.
  package var reason: Reason
  /// Capture time from the last frame in front of the hole to the first one behind it, nanoseconds; known only once the
  /// frame leaves the backlog.
  package var duration: Int64?

  package init(frameCount: UInt64?, reason: Reason, duration: Int64? = nil) {
    (self.frameCount, self.reason, self.duration) = (frameCount, reason, duration)
  }

  /// Two holes that have become one because the frames between them were dropped. Counts add up; unknown and anything is
  /// unknown, and then the reason is that of the part nobody could count. Else the later reason stands.
  package func followed(by later: Gap) -> Gap {
    let count: UInt64? = frameCount.flatMap { first in
      later.frameCount.map { $0 > .max - first ? .max : first + $0 }
    }
    let reason = frameCount == nil ? self.reason : later.reason
    return Gap(frameCount: count, reason: reason)
  }
}

extension Optional where Wrapped == Gap {
  /// Adds a later hole to what was already missing.
  package mutating func append(_ later: Gap?) {
    guard let later else { return }
    self = self?.followed(by: later) ?? later
  }
}
