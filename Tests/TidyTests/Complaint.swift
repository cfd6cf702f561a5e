/// One broken rule, printed as a compiler prints it.
struct Complaint: CustomStringConvertible, Equatable {
  let path: String
  let line: Int
  let text: String

  var description: String { "\(path):\(line): \(text)" }
}

/// A file of the repository, as the rules see it.
struct File {
  let path: String
  let lines: [Substring]

  init(_ path: String, _ text: String) {
    self.path = path
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    self.lines = lines
  }

  var isSwift: Bool { path.hasSuffix(".swift") }
  var isSource: Bool { path.hasPrefix("Sources/") }

  /// A complaint about each line for which `text` says something.
  func complaints(_ text: (Substring) -> String?) -> [Complaint] {
    lines.enumerated().compactMap { index, line in
      text(line).map { Complaint(path: path, line: index + 1, text: $0) }
    }
  }
}
