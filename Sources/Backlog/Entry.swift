import DiskRing
import Frames
import Posix

// What the backlog holds: frames with their place in a lane.

/// One camera to one topic: what is acknowledged in order. The number is its place in the list given to `Backlog`.
package struct Lane: Sendable, Hashable {
  package let index: Int

  package init(index: Int) { self.index = index }
}

/// Where a frame stands in its lane: runs of the gateway one after another, and in each the frames by their number.
package struct FrameNumber: Sendable, Hashable, Comparable {
  /// The run it was captured in; nil is the present one.
  package let epoch: UInt64?
  package let sequence: UInt64

  package init(epoch: UInt64? = nil, sequence: UInt64) { (self.epoch, self.sequence) = (epoch, sequence) }

  package static func < (left: FrameNumber, right: FrameNumber) -> Bool {
    (left.epoch ?? .max, left.sequence) < (right.epoch ?? .max, right.sequence)
  }
}

/// A frame with its place in its lane.
package struct Entry: Sendable {
  /// Where it belongs.
  package let lane: Lane
  /// Its number within the lane: grows by one a frame and also counts frames that were dropped on purpose.
  package let sequence: UInt64
  /// The run it was captured in; nil is the present one. What an earlier run has left on disk keeps its own.
  package var epoch: UInt64?
  /// The frame; its `gap` says what is missing right before it.
  package var frame: Frame
  /// When it came from its camera; nil when an earlier run left it.
  package var arrival: MonotonicTime?
  /// When it came, over all lanes: smaller is older.
  let arrivalOrder: UInt64
  /// The time of the frame that was taken before it from its lane; set when it is taken itself.
  var precedingTime: FrameTime?

  /// Run and number; what is sent in order is in the order of these.
  package var number: FrameNumber { FrameNumber(epoch: epoch, sequence: sequence) }

  /// What it weighs in the memory budget, bytes.
  package var byteCount: Int { frame.payload.byteCount + Entry.overhead }

  /// What a frame costs besides its bytes: the entry with the room its queue keeps for more, what the allocator loses
  /// between frames, and under way librdkafka's message with a dozen headers.
  static let overhead = 2_048
}

/// When a frame was taken by its camera and when it came, for the length of a hole.
struct FrameTime: Equatable {
  var capture: Int64
  var boot: Int64?

  init(_ frame: Frame) { (capture, boot) = (frame.captureTime, frame.bootTime) }

  /// Nanoseconds from here to `later`. The clock that never steps knows; capture times do, unless the clock was stepped
  /// back in between, which gives nil.
  func duration(to later: FrameTime) -> Int64? {
    if let boot, let end = later.boot, boot <= end { return end.subtractingSaturated(boot) }
    return capture <= later.capture ? later.capture.subtractingSaturated(capture) : nil
  }
}

/// What becomes of frames that were taken.
package enum Settlement: Sendable {
  /// Acknowledged by the broker, which keeps it there.
  case finished(Entry, at: RecordPosition? = nil)
  /// Dropped after all, which the next frame of its lane tells.
  case dropped(Entry, Gap.Reason)
  /// Of one lane and in their order: to be taken again.
  case putBack([Entry])
}

/// Where in Kafka a record lies.
package typealias RecordPosition = LogPosition

/// How many frames were dropped on purpose, by reason.
package typealias DropCounts = [Gap.Reason: UInt64]
