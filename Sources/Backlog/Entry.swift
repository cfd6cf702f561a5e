import Frames

// What the backlog holds: frames with their place in a lane.

/// One camera to one topic: what is acknowledged in order. The number is its place in the list given to `Backlog`.
package struct Lane: Sendable, Hashable {
  package let index: Int

  package init(index: Int) { self.index = index }
}

/// A frame with its place in its lane.
package struct Entry: Sendable {
  /// Where it belongs.
  package let lane: Lane
  /// Its number within the lane: grows by one a frame and also counts frames that were dropped on purpose.
  package let sequence: UInt64
  /// The frame; its `gap` says what is missing right before it.
  package var frame: Frame
  /// When it came, over all lanes: smaller is older.
  let arrivalOrder: UInt64
  /// The time of the frame that was taken before it from its lane; set when it is taken itself.
  var precedingTime: FrameTime?

  /// What it weighs in the memory budget, bytes.
  package var byteCount: Int { frame.payload.byteCount + Entry.overhead }

  /// What a frame costs besides its bytes: the entry itself, its packet, its record's headers.
  static let overhead = 1_024
}

/// When a frame was taken by its camera and when it came, for the length of a hole.
struct FrameTime: Equatable {
  var capture: Int64
  var boot: Int64?

  init(_ frame: Frame) { (capture, boot) = (frame.captureTime, frame.bootTime) }

  /// Nanoseconds from here to `later`. The clock that never steps knows; capture times do, unless the clock was stepped
  /// back in between, which gives nil.
  func duration(to later: FrameTime) -> Int64? {
    if let boot, let end = later.boot, boot <= end { return end - boot }
    return capture <= later.capture ? later.capture - capture : nil
  }
}

/// What becomes of frames that were taken.
package enum Settlement: Sendable {
  /// Acknowledged by the broker.
  case finished(Entry)
  /// Dropped after all, which the next frame of its lane tells.
  case dropped(Entry, Gap.Reason)
  /// Of one lane and in their order: to be taken again.
  case putBack([Entry])
}

/// How many frames were dropped on purpose, by reason.
package typealias DropCounts = [Gap.Reason: UInt64]

/// A first-in-first-out queue that lets go of an element as soon as it has left.
struct FIFO<Element> {
  /// Those in front of `head` have left and are nil: their memory must not wait for the array to be shortened.
  private var elements: [Element?] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { count == 0 }
  var first: Element? { isEmpty ? nil : elements[head] }

  /// The element at `index`, 0 being the oldest.
  subscript(index: Int) -> Element {
    get { elements[head + index]! }
    set { elements[head + index] = newValue }
  }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func removeFirst(_ count: Int) {
    for index in head..<(head + count) { elements[index] = nil }
    head += count
    if head == elements.count {
      (elements, head) = ([], 0)
    } else if head > 64, head * 2 > elements.count {
      elements.removeFirst(head)
      head = 0
    }
  }

  mutating func prepend(_ newElements: [Element]) {
    elements.replaceSubrange(..<head, with: newElements)
    head = 0
  }
}
