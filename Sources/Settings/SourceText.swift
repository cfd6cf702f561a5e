import Posix

// The text of a settings file, for pointing at places in it. A line that holds a secret, or may hold one, is
// shown with the secret masked.

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
  /// Values of keys that name a secret, and of keys that nobody knows and that may name one, are hidden.
  func shownLine(_ number: Int, prefix: Int = .max) -> String? {
    guard lines.indices.contains(number) else { return nil }
    let line = String(String.UnicodeScalarView(lines[number].unicodeScalars.prefix(prefix)))
    let block = enclosingKey(of: number)
    if let block, !SourceText.isShown(key: block, in: nil) {
      return line.prefix { $0 == " " } + (line.allSatisfy { $0 == " " } ? "" : "***")
    }
    return Secrets.maskingPatterns(in: SourceText.maskingSecretValue(in: line, below: block))
  }

  /// The key above the line that its block belongs to: what follows may be a block scalar, a list, or a mistake.
  private func enclosingKey(of number: Int) -> String? {
    let indent = { (line: String) in line.prefix { $0 == " " }.count }
    let (own, isItem) = (indent(lines[number]), lines[number].drop { $0 == " " }.first == "-")
    let parent = lines[..<number].last { line in
      if line.allSatisfy({ $0 == " " }) { return false }
      // A list may stand as far left as its key.
      return indent(line) < own || isItem && indent(line) == own && line.drop { $0 == " " }.first != "-"
    }
    return parent.map { line in String(line.drop { " -\"'".contains($0) }.prefix { !":\"'".contains($0) }) }
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
  /// the name of a file with one. A command that prints a token may hold one itself.
  static func isSecret(key: some StringProtocol) -> Bool {
    let key = key.lowercased()
    if key.hasSuffix("_file") { return false }
    return SecretPatterns.isSecret(name: key) || Suggestion.distance(key, "password") <= 3
  }

  /// Blocks whose keys are not Camgate's: librdkafka's and the drivers'.
  private static let foreignBlocks = ["properties", "controls"]
  private static let knownNames = Set(
    SettingsKey.all.map { $0.path.split { ".[]".contains($0) }.last.map { String($0) } ?? $0.path })

  /// Whether the value of `key`, which stands in `block`, may be shown. Names of the form `a.b` are librdkafka's.
  private static func isShown(key: some StringProtocol, in block: String?) -> Bool {
    if isSecret(key: key) || key == "key" && block != "tls" { return false }
    return knownNames.contains(String(key)) || key.contains(".") || block.map(foreignBlocks.contains) == true
  }

  /// `key: value` with the value hidden where the key's may not be shown; also inside `{…}`. What follows it is hidden too.
  private static func maskingSecretValue(in line: String, below block: String?) -> String {
    var result = ""
    var rest = Substring(line)
    var block = block
    while let colon = rest.firstIndex(of: ":") {
      let after = rest.index(after: colon)
      let isQuoted = rest[..<colon].last.map { "\"'".contains($0) } == true
      let name = rest[..<colon].reversed().drop { "\"' ".contains($0) }.prefix { !" \t{,\"'".contains($0) }
      let key = String(String(name.reversed()).drop { !$0.isLetter && !$0.isNumber })
      // A second `name: ` in a line is a key in `{…}` only.
      let isKey = result.isEmpty || rest[..<colon].contains { "{,".contains($0) }
      result += rest[..<after]
      rest = rest[after...]
      // `host:port` and `rtsp://` are no keys.
      guard isQuoted || rest.first.map({ " \t".contains($0) }) ?? true else { continue }
      let isHidden = isKey ? !isShown(key: key, in: block) : isSecret(key: key)
      if isHidden, let first = rest.firstIndex(where: { $0 != " " }) {
        return result + rest[..<first] + "***"
      }
      if rest.drop(while: { $0 == " " }).first == "{" { block = key }
    }
    return result + rest
  }
}
