// The name of a camera: part of every key, id and log line, so its alphabet is small.

/// One camera's name: 1 to 63 characters of `a-z`, `0-9` and `-`.
package struct CameraName: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The name as written in the settings.
  package let text: String

  /// nil when `text` is not a legal name.
  package init?(_ text: String) {
    let isLegal = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
      default: false
      }
    }
    guard isLegal, (1...63).contains(text.utf8.count) else { return nil }
    self.text = text
  }

  package var description: String { text }

  package static func < (left: CameraName, right: CameraName) -> Bool { left.text < right.text }
}
