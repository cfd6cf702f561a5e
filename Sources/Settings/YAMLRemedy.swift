// What to do about a text that is no YAML: libyaml says what it expected, this says what people mostly meant.

enum YAMLRemedy {
  /// `; …`, or nothing when no common mistake explains the error. Nothing of the text is repeated: it may be a secret.
  static func text(for error: YAMLError, in source: SourceText) -> String {
    guard let context = error.context else { return "" }
    let line = source.content(ofLine: error.mark.line)
    let dash = "each item of a list begins with '- ', a dash and a space"
    let remedies: [(applies: Bool, text: String)] = [
      (source.isIndentedWithTab(error.mark.line), "indent with spaces, not with tabs"),
      (context == "while parsing a quoted scalar", "in double quotes '\\' begins an escape; use single quotes"),
      (line.contains("${") && !isQuoted("${", in: line), "between [ ] or { } put a value with ${…} into quotes"),
      (hasBareIPv6(line), "put an address with brackets into quotes: '[::1]:9092'"),
      (line.hasSuffix(":") && line.dropLast().contains(": "), "put a value that ends with a colon into quotes"),
      (beginsWithIndicator(line), "put a value that begins with such a character into quotes"),
      (error.message.hasPrefix("mapping values"), "put a value with ': ' in it into quotes"),
      (context == "while parsing a block collection", dash),
      (context == "while scanning a simple key" && line.drop { $0 == " " }.first == "-", dash),
    ]
    return remedies.first { $0.applies }.map { "; " + $0.text } ?? ""
  }

  /// Whether `text` stands in quotes: an odd number of them comes before it.
  private static func isQuoted(_ text: String, in line: Substring) -> Bool {
    guard let range = line.firstRange(of: text) else { return false }
    return ["'", "\""].contains { quote in line[..<range.lowerBound].count { $0 == quote } % 2 == 1 }
  }

  /// `[` and an IPv6 address, not in quotes and not in a URL.
  private static func hasBareIPv6(_ line: Substring) -> Bool {
    guard let open = line.lastIndex(of: "["), !line[..<open].hasSuffix("//") else { return false }
    let quotes = line[..<open].last
    return quotes != "'" && quotes != "\"" && isBareIPv6(line[line.index(after: open)...].prefix { $0 != "]" })
  }

  /// Whether a value in the line begins with what means something else in YAML.
  private static func beginsWithIndicator(_ line: Substring) -> Bool {
    guard let colon = line.firstRange(of: ": ") else { return false }
    return line[colon.upperBound...].drop { $0 == " " }.first.map { "@`%*&!|>[]{},".contains($0) } ?? false
  }
}
