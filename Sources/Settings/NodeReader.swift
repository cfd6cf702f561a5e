import Glibc
import Posix

// Reading values out of nodes, collecting every error on the way instead of stopping at the first.

/// A secret that was read, with the name that goes with it where there is one.
struct ReadSecret: Sendable {
  var text: String
  var username: String?
}

extension [ReadSecret] {
  func register(in registry: Secrets) {
    for secret in self { registry.register(secret.text, username: secret.username) }
  }
}

/// What reading needs besides the nodes, and what it collects.
struct ReadingContext {
  /// The environment, for `${NAME}`.
  let environment: [String: String]
  /// The folder of the settings file, to which other files are relative.
  let directory: String
  /// The text that is read; of values from elsewhere there is none.
  let source: SourceText
  /// Whether this process has given up reading a file.
  var isGivenUp: @Sendable (String) -> Bool = { _ in false }
  var diagnostics: [Diagnostic] = []
  /// Every secret, also of settings with errors: what is said of them must not show it.
  var secrets: [ReadSecret] = []
  /// The paths of the files that the settings name, as they are opened.
  var files: [String] = []
  /// Those of them that hold a secret.
  var secretFiles: [String] = []
  /// Whether the settings themselves hold one, not only its name in the environment.
  var holdsSecret = false

  mutating func report(_ path: String, _ message: String, at node: YAMLNode, severity: Diagnostic.Severity = .error) {
    let length = node.end.line == node.start.line ? node.end.column - node.start.column : Int.max / 2
    diagnostics.append(
      Diagnostic(severity: severity, path: path, message: message, mark: node.start, length: max(1, length)))
  }

  /// Where a file lies that the settings name; it is remembered as one of theirs.
  mutating func location(of file: String) -> String {
    let location = file.hasPrefix("/") ? file : directory + file
    files.append(location)
    return location
  }

  /// What to say of a file that cannot be read.
  func reason(_ error: SystemError, for location: String) -> String {
    error.code == EACCES && isGivenUp(location)
      ? "restart needed: it is outside of the sandbox, which was built at the start" : describe(errno: error.code)
  }

  /// An error at a part of a value: `offset` and `length` in characters from its beginning.
  mutating func report(_ path: String, _ message: String, at node: YAMLNode, offset: Int, length: Int) {
    var mark = node.start
    mark.column += offset
    diagnostics.append(Diagnostic(severity: .error, path: path, message: message, mark: mark, length: length))
  }

  /// `text` with `${NAME}` replaced from the environment and `$$` by `$`; nil when a name is unknown. A name that may be a
  /// part of a secret is not shown.
  mutating func expanding(_ text: String, path: String, at node: YAMLNode, isSecret: Bool = false) -> String? {
    guard text.contains("$") else { return text }
    var result = ""
    var rest = Substring(text)
    while let dollar = rest.firstIndex(of: "$") {
      result += rest[..<dollar]
      rest = rest[rest.index(after: dollar)...]
      if rest.first == "$" {
        result += "$"
        rest = rest.dropFirst()
      } else if rest.first == "{", let close = rest.firstIndex(of: "}") {
        let name = String(rest[rest.index(after: rest.startIndex)..<close])
        guard let value = environment[name] ?? (name == "HOSTNAME" ? hostName() : nil) else {
          let isWhole = text == "${\(name)}"
          report(
            path,
            isSecret && !isWhole
              ? "the environment has no variable of the name between '${' and '}'; write $$ for a dollar sign"
              : "the environment has no variable '\(name)'", at: node)
          return nil
        }
        result += value
        rest = rest[rest.index(after: close)...]
      } else {
        result += "$"
      }
    }
    return result + rest
  }
}

/// A block of keys and what may stand in it.
struct Section {
  let path: String
  let node: YAMLNode
  /// Whether `node` is a block of keys at all; if not, that was reported.
  private(set) var isBlock = false
  /// Whether an unknown key looks as if a secret were meant.
  private(set) var hasUnknownSecret = false
  private var entries: [String: (key: YAMLNode, value: YAMLNode)] = [:]

  /// Reads the keys of `node`; unknown and doubled ones are reported. `schemaPath` is the path in `SettingsKey.all`.
  init(_ node: YAMLNode, path: String, schemaPath: String, context: inout ReadingContext) {
    (self.path, self.node) = (path, node)
    guard case .mapping(let pairs) = node.content else {
      let problem = node.isNull ? "is empty" : "expected a block of keys, found \(node.kindName)"
      context.report(path, problem, at: node)
      return
    }
    isBlock = true
    let known = SettingsKey.names(below: schemaPath)
    for (key, value) in pairs {
      guard case .scalar(let name, _) = key.content else {
        context.report(path, "a key must be a single word", at: key)
        continue
      }
      if !known.contains(name) {
        let suggestion = Suggestion.text(for: name, among: known)
        let help = suggestion.isEmpty ? "; known here: \(known.joined(separator: ", "))" : suggestion
        context.report(path, "unknown key '\(name)'\(help)", at: key)
        hasUnknownSecret = hasUnknownSecret || SourceText.isSecret(key: name)
      } else if let first = entries[name] {
        context.report(self.path(of: name), "given twice; first in line \(first.key.start.line + 1)", at: key)
      } else {
        entries[name] = (key, value)
      }
    }
  }

  /// The full path of a key, for messages.
  func path(of name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// The key's value; nil when it is not there or empty.
  func value(_ name: String) -> YAMLNode? { entries[name].flatMap { $0.value.isNull ? nil : $0.value } }

  /// The key itself, for messages about its being there.
  func key(_ name: String) -> YAMLNode? { value(name) == nil ? nil : entries[name]?.key }

  /// Whether the key is there, with a value or without.
  func contains(_ name: String) -> Bool { entries[name] != nil }

  /// The key's value; when there is none that is an error. `alternative` is a key that would do as well.
  func required(_ name: String, or alternative: String? = nil, _ context: inout ReadingContext) -> YAMLNode? {
    guard isBlock else { return nil }
    if let value = value(name) { return value }
    for name in [name, alternative].compactMap({ $0 }) {
      if let key = entries[name]?.key {
        context.report(self.path(of: name), "is empty", at: key)
        return nil
      }
    }
    let other = alternative.map { " (or '\($0)')" } ?? ""
    context.report(path, "the key '\(name)'\(other) is missing", at: node.firstKey)
    return nil
  }

  /// A secret with the environment put in; nil when there is none, or when YAML would make something else of it.
  func secret(_ name: String, _ context: inout ReadingContext) -> String? {
    guard let entry = entries[name] else { return nil }
    return SecretReader.read(entry.value, key: entry.key, path: path(of: name), &context)
  }

  /// The text of a single value, with the environment put in.
  func text(_ name: String, _ context: inout ReadingContext) -> String? {
    guard let node = value(name) else { return nil }
    let text = Section.text(of: node, path: path(of: name), &context)
    if let text, SourceText.isSecret(key: name) { context.secrets.append(ReadSecret(text: text)) }
    return text
  }

  static func text(of node: YAMLNode, path: String, _ context: inout ReadingContext) -> String? {
    guard case .scalar(let text, _) = node.content else {
      context.report(path, "expected a single value, found \(node.kindName)", at: node)
      return nil
    }
    return context.expanding(text, path: path, at: node)
  }

  /// The items of a list; a single value counts as a list of one.
  func items(_ name: String, _ context: inout ReadingContext) -> [YAMLNode]? {
    guard let node = value(name) else { return nil }
    switch node.content {
    case .sequence(let items): return items
    case .scalar: return [node]
    case .mapping:
      context.report(path(of: name), "expected a list, found \(node.kindName)", at: node)
      return nil
    }
  }

  /// Reads a value and turns it into what `convert` makes of it; `expected` says what would have been right.
  func read<Value>(
    _ name: String, _ expected: String, _ context: inout ReadingContext, _ convert: (String) -> Value?
  ) -> Value? {
    guard let text = text(name, &context), let node = value(name) else { return nil }
    if let value = convert(text) { return value }
    let shown = SourceText.isSecret(key: name) ? "the value" : "'\(text)'"
    context.report(path(of: name), "\(shown) is not \(expected)", at: node)
    return nil
  }

  /// One of a few words.
  func word<Word: RawRepresentable & CaseIterable>(_ name: String, _ context: inout ReadingContext) -> Word?
  where Word.RawValue == String {
    guard let node = value(name), let text = Section.text(of: node, path: path(of: name), &context) else { return nil }
    if let word = Word(rawValue: text) { return word }
    let words = Word.allCases.map(\.rawValue)
    let isSecret = SourceText.isSecret(key: name)
    if isSecret { context.secrets.append(ReadSecret(text: text)) }
    let suggestion = isSecret ? "" : Suggestion.text(for: text, among: words)
    let shown = isSecret ? "the value" : "'\(text)'"
    context.report(path(of: name), "\(shown) is none of \(words.joined(separator: ", "))\(suggestion)", at: node)
    return nil
  }

  /// `true` or `false`.
  func truth(_ name: String, _ context: inout ReadingContext) -> Bool? {
    guard let text = text(name, &context), let node = value(name) else { return nil }
    if let truth = ["true": true, "false": false][text] { return truth }
    let meant = ["true": true, "yes": true, "on": true, "false": false, "no": false, "off": false][text.lowercased()]
    let help = meant.map { "; write \($0)" } ?? ""
    context.report(path(of: name), "'\(text)' is not true or false\(help)", at: node)
    return nil
  }

  /// A size in bytes within bounds.
  func size(_ name: String, in bounds: ClosedRange<Int>, _ context: inout ReadingContext) -> Int? {
    guard let size = read(name, "a size such as 64MiB or 512KiB", &context, Units.size), let node = value(name) else {
      return nil
    }
    if bounds.contains(size) { return size }
    context.report(
      path(of: name),
      "must be from \(Units.text(size: bounds.lowerBound)) to \(Units.text(size: bounds.upperBound))", at: node)
    return nil
  }

  /// A duration within bounds.
  func duration(_ name: String, in bounds: ClosedRange<Duration>, _ context: inout ReadingContext) -> Duration? {
    guard let duration = read(name, "a duration such as 250ms, 5s or 2m", &context, Units.duration),
      let node = value(name)
    else { return nil }
    if bounds.contains(duration) { return duration }
    let limits = "\(Units.text(duration: bounds.lowerBound)) to \(Units.text(duration: bounds.upperBound))"
    context.report(path(of: name), "must be from \(limits)", at: node)
    return nil
  }
}
