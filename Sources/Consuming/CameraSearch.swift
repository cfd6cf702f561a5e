import Posix

// Who asks for one camera and misspells it would wait without end: after a while it is said that nothing of the camera has
// come, and of which cameras something has. Bounded: not more than `nameLimit` names are kept.

/// Looks for one camera among the frames of a topic.
package struct CameraSearch: Sendable {
  /// How long after the start nothing at all may have come before that is said; to join a group takes some seconds.
  static let silenceLimit = Duration.seconds(15)
  /// How long frames of other cameras may have come, and none of this one.
  static let searchLimit = Duration.seconds(5)
  /// It is said again after this time.
  static let repeatInterval = Duration.seconds(60)
  /// So many other cameras are named.
  static let nameLimit = 20

  private let camera: String
  private var isFound = false
  private var others: Set<String> = []
  private var hasMore = false
  private var nextLineTime: MonotonicTime

  /// `camera` is its name, or gateway/camera.
  package init(for camera: String, now: MonotonicTime) {
    self.camera = camera
    nextLineTime = now + CameraSearch.silenceLimit
  }

  /// Whether a frame of camera `name`, with this `ce_source`, is one of the camera that is looked for.
  package mutating func wants(camera name: String, source: String, now: MonotonicTime) -> Bool {
    if name == camera || source == "/" + camera {
      isFound = true
      return true
    }
    guard !isFound else { return false }
    if others.isEmpty { nextLineTime = min(nextLineTime, now + CameraSearch.searchLimit) }
    let other = source.hasPrefix("/") ? String(source.dropFirst()) : name
    if others.count < CameraSearch.nameLimit { others.insert(other) } else if !others.contains(other) { hasMore = true }
    return false
  }

  /// What is to be said now; nil most of the time.
  package mutating func line(now: MonotonicTime) -> String? {
    guard !isFound, now >= nextLineTime else { return nil }
    nextLineTime = now + CameraSearch.repeatInterval
    if others.isEmpty { return "no frame of any camera so far; --from beginning reads what is there already" }
    let names = others.sorted().joined(separator: ", ") + (hasMore ? " and others" : "")
    return "no frame of camera '\(camera)' so far; there are frames of \(names)"
  }
}
