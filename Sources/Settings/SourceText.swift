import Posix

// The text of a settings file, for pointing at places in it. A line that holds a secret is shown with the secret masked.

/// The lines of a settings file.
package struct SourceText: Sendable {
  /// How the file is called in messages.
  package let name: String
  /// Its bytes without a byte order mark.
  let bytes: [UInt8]
  private let lines: [String]

  package init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
    lines = self.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
      String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
    }
  }

  /// The line with this number (from 0), or its first `prefix` characters, as it may be shown; nil when there is none.
  func shownLine(_ number: Int, prefix: Int = .max) -> String? {
    guard lines.indices.contains(number) else { return nil }
    let line = String(String.UnicodeScalarView(lines[number].unicodeScalars.prefix(prefix)))
    if isInSecretBlock(number) { return line.prefix { $0 == " " } + (line.allSatisfy { $0 == " " } ? "" : "***") }
    return PercentEncoding.maskingLogins(in: SourceText.maskingSecretValue(in: line))
  }

  /// Whether the line belongs to the value of a key above it that names a secret: a block scalar, or a mistake.
  private func isInSecretBlock(_ number: Int) -> Bool {
    let indent = { (line: String) in line.prefix { $0 == " " }.count }
    let own = indent(lines[number])
    guard let parent = lines[..<number].last(where: { !$0.allSatisfy { $0 == " " } && indent($0) < own }) else {
      return false
    }
    let key = parent.drop { " -".contains($0) }.prefix { $0 != ":" }
    return SourceText.isSecret(key: key)
  }

  /// Whether a comment follows this place in its line.
  func hasComment(after mark: Mark) -> Bool {
    guard lines.indices.contains(mark.line) else { return false }
    let rest = lines[mark.line].unicodeScalars.dropFirst(mark.column)
    let comment = rest.drop { $0 == " " || $0 == "\t" }
    return comment.first == "#" && comment.startIndex > rest.startIndex
  }

  /// The line with this number (from 0) without its comment, as it stands in the file: not to be shown.
  func content(ofLine number: Int) -> Substring {
    guard lines.indices.contains(number) else { return "" }
    let line = lines[number]
    return line.firstRange(of: " #").map { line[..<$0.lowerBound] } ?? line[...]
  }

  /// Whether these are bytes of UTF-16, with a byte order mark or without.
  var isUTF16: Bool {
    let start = Array(bytes.prefix(2))
    return start == [0xff, 0xfe] || start == [0xfe, 0xff] || (start.count == 2 && (start[0] == 0) != (start[1] == 0))
  }

  /// Whether the line is indented with a tab, which YAML forbids.
  func isIndentedWithTab(_ number: Int) -> Bool {
    content(ofLine: number).prefix { $0 == " " || $0 == "\t" }.contains("\t")
  }

  /// The first byte that is not UTF-8, as a place; nil when all are.
  var firstInvalidByte: Mark? {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var mark = Mark(line: 0, column: 0)
    while true {
      switch decoder.decode(&iterator) {
      case .scalarValue(let scalar):
        mark = scalar == "\n" ? Mark(line: mark.line + 1, column: 0) : Mark(line: mark.line, column: mark.column + 1)
      case .emptyInput: return nil
      case .error: return mark
      }
    }
  }

  /// Whether a key's value is a secret: `password`, `sasl.password`, `client.secret` and the like, also misspelt, but not
  /// the name of a file with one.
  static func isSecret(key: some StringProtocol) -> Bool {
    let key = key.lowercased()
    if key.hasSuffix("_file") || key.hasSuffix("_command") || key.hasSuffix(".location") { return false }
    return ["pass", "pwd", "kennwort", "secret", "token", "jaas", "ssl.key.pem"].contains { key.contains($0) }
      || Suggestion.distance(key, "password") <= 3
  }

  /// `key: value` with the value masked where the key names a secret; also inside `{…}`.
  private static func maskingSecretValue(in line: String) -> String {
    var result = ""
    var rest = Substring(line)
    while let colon = rest.firstIndex(of: ":") {
      let after = rest.index(after: colon)
      let key = rest[..<colon].reversed().prefix { !" {,\"'-".contains($0) }
      result += rest[..<after]
      rest = rest[after...]
      if isSecret(key: String(key.reversed())), let first = rest.firstIndex(where: { $0 != " " }) {
        result += rest[..<first] + "***"
        return result
      }
    }
    return result + rest
  }
}
