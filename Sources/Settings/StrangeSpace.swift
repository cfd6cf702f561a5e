// Spaces that look like one and are none for YAML: no-break spaces and the like, which come with text from web pages and
// word processors. In quotes and comments they are as good as any character.

struct StrangeSpace {
  var mark: Mark
  var message: String

  /// What to call a space that is not U+0020; nil for any other character.
  static func name(of scalar: Unicode.Scalar) -> String? {
    let names: [UInt32: String] = [
      0xa0: "no-break space", 0x202f: "narrow no-break space", 0x2007: "figure space", 0x200b: "zero-width space",
      0x2060: "word joiner", 0xfeff: "zero-width no-break space", 0x3000: "ideographic space",
    ]
    let isSpace = scalar.properties.generalCategory == .spaceSeparator && scalar != " "
    guard let name = names[scalar.value] ?? (isSpace ? "a space of its own kind" : nil) else { return nil }
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits + " (\(name))"
  }

  /// The first of each unquoted key and value.
  static func all(in node: YAMLNode, of source: SourceText) -> [StrangeSpace] {
    if node.property == .alias { return [] }
    switch node.content {
    case .scalar(let text, .plain):
      guard text.unicodeScalars.contains(where: { name(of: $0) != nil }) else { return [] }
      return Array(all(in: source, from: node.start, upToLine: node.end.line).prefix(1))
    case .scalar: return []
    case .sequence(let items): return items.flatMap { all(in: $0, of: source) }
    case .mapping(let pairs): return pairs.flatMap { all(in: $0.key, of: source) + all(in: $0.value, of: source) }
    }
  }

  /// The first of each line outside of comments, from `start` to the end of line `last`; twenty at most.
  static func all(
    in source: SourceText, from start: Mark = Mark(line: 0, column: 0), upToLine last: Int
  ) -> [StrangeSpace] {
    var found: [StrangeSpace] = []
    for line in start.line...max(start.line, last) where found.count < 20 {
      let skipped = line == start.line ? start.column : 0
      for (offset, scalar) in source.content(ofLine: line).unicodeScalars.dropFirst(skipped).enumerated() {
        guard let name = name(of: scalar) else { continue }
        found.append(StrangeSpace(mark: Mark(line: line, column: skipped + offset), message: message(name)))
        break
      }
    }
    return found
  }

  private static func message(_ name: String) -> String {
    "here is \(name), which YAML does not take for a space; type a space, or use quotes if it is meant"
  }
}
