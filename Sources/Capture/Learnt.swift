import Frames

// What is found out about a camera while it is captured, and is worth keeping for the next run.

/// What is known about a camera beyond its settings. A value; who keeps it is asked by `Camera`.
package struct Learnt: Sendable, Equatable {
  /// How long a frame is waited for, in steps (`Patience.remembered`); nil: as the settings say.
  package var patience: Duration?
  /// Whether the camera took its present login at least once.
  package var hasLoginWorked = false
  /// The request that keeps its sessions.
  package var keepAlive = KeepAliveRequest.listed

  package init() {}

  /// For people, a part for each thing: `waits up to 40 s for a frame`. Empty when nothing is known.
  package var phrases: [String] {
    var phrases: [String] = []
    if let patience { phrases.append("waits up to \(patience.components.seconds) s for a frame") }
    if hasLoginWorked { phrases.append("this login has worked") }
    if keepAlive != .listed { phrases.append("\(keepAlive.name) keeps its sessions") }
    return phrases
  }

  /// The phrases as one.
  package var summary: String { phrases.isEmpty ? "nothing yet" : phrases.joined(separator: "; ") }
}
