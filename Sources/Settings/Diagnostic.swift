import Posix

// What is wrong with a settings file, printed as a compiler would.

/// An error or a warning with its place.
package struct Diagnostic: Sendable, Equatable {
  package enum Severity: String, Sendable {
    case error, warning
  }

  package var severity: Severity
  /// The key it is about, e.g. `cameras[0].url`; empty when it is about the whole file.
  package var path: String
  /// What is wrong and what would be right.
  package var message: String
  /// Where; nil when it is about the file, not about a place in it.
  var mark: Mark?
  /// How many characters are underlined.
  var length: Int

  /// Three lines: place and message, the line itself, a caret below the place.
  package func rendered(in source: SourceText) -> String {
    let subject = path.isEmpty ? "" : path + ": "
    let message = Secrets.maskingPatterns(in: message)
    guard let mark else { return "\(source.name): \(severity): \(subject)\(message)" }
    var text = "\(source.name):\(mark.line + 1):\(mark.column + 1): \(severity): \(subject)\(message)"
    guard let line = source.shownLine(mark.line) else { return text }
    let number = String(mark.line + 1)
    let gutter = String(repeating: " ", count: max(0, 5 - number.count)) + number
    // What is masked in front of the place moves it. Tabs stay tabs, so that the caret stands right below whatever a
    // tab's width is.
    let before = source.shownLine(mark.line, prefix: mark.column) ?? ""
    let indent = String(String.UnicodeScalarView(before.unicodeScalars.map { $0 == "\t" ? "\t" : " " }))
    let underlined = max(1, min(length, line.unicodeScalars.count - before.unicodeScalars.count))
    text += "\n\(gutter) | \(line)\n      | \(indent)^\(String(repeating: "~", count: underlined - 1))"
    return text
  }
}

extension [Diagnostic] {
  /// Whether any of them forbids to run.
  package var hasErrors: Bool { contains { $0.severity == .error } }

  /// All of them, in the order of their places.
  package func rendered(in source: SourceText) -> String {
    func place(_ diagnostic: Diagnostic) -> (Int, Int) { (diagnostic.mark?.line ?? -1, diagnostic.mark?.column ?? -1) }
    return enumerated()
      .sorted { (place($0.element), $0.offset) < (place($1.element), $1.offset) }
      .map { $0.element.rendered(in: source) }
      .joined(separator: "\n")
  }
}

private func < (left: ((Int, Int), Int), right: ((Int, Int), Int)) -> Bool {
  (left.0.0, left.0.1, left.1) < (right.0.0, right.0.1, right.1)
}
