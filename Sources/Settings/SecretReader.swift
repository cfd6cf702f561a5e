// A secret is what stands there, character for character. Where YAML would make something else of it, or nothing, that is
// an error which shows how to quote; the secret itself is never shown.

enum SecretReader {
  /// Reads the value of `key`, with the environment put in; nil when it is not what it looks like.
  static func read(_ value: YAMLNode, key: YAMLNode, path: String, _ context: inout ReadingContext) -> String? {
    guard case .scalar(let name, _) = key.content else { return nil }
    if let problem = problem(with: value, key: key, in: context.source) {
      let place = value.isNull || value.property == .alias ? key : value
      context.report(path, "\(problem); write the value in single quotes: \(name): '…'", at: place)
      return nil
    }
    guard case .scalar(var text, let style) = value.content else { return nil }
    if style == .block, !name.hasSuffix(".pem"), text.last == "\n" {
      while text.last == "\n" { text.removeLast() }
      let message = "'|' and '>' add a line end to the value; it is left out. Better: \(name): '…'"
      context.report(path, message, at: value, severity: .warning)
    }
    guard let secret = context.expanding(text, path: path, at: value, isSecret: true) else { return nil }
    context.secrets.append(ReadSecret(text: secret))
    if !text.contains("${") { context.holdsSecret = true }
    return secret
  }

  /// What YAML would take away from the value, or put in its place.
  private static func problem(with value: YAMLNode, key: YAMLNode, in source: SourceText) -> String? {
    switch value.property {
    case .tag: return "'!' begins a tag of YAML, which is not part of the value"
    case .anchor: return "'&' begins an anchor of YAML, which is not part of the value"
    case .alias: return "'*' begins an alias of YAML: another value would stand in its place"
    case nil: break
    }
    guard case .scalar(let text, let style) = value.content else {
      return "expected a single value, found \(value.kindName)"
    }
    let isCommented = source.hasComment(after: value.end)
    switch style {
    case .plain where value.isNull:
      return isCommented ? "is empty: '#' begins a comment" : "is empty"
    case .plain where isCommented && !isVariable(text):
      return "' #' begins a comment, which is not part of the value"
    case .plain, .quoted:
      return value.end.line == value.start.line
        ? nil : "continues on the next line, and YAML turns line ends into spaces"
    case .block: return nil
    }
  }

  /// Whether the value comes from the environment: of that a comment takes nothing away.
  private static func isVariable(_ text: String) -> Bool { text.hasPrefix("${") && text.hasSuffix("}") }
}
