// The settings file as a tree of nodes, with the place of each: what every error message points at.

/// A place in the file, counted from 0; columns count characters.
struct Mark: Sendable, Equatable {
  var line: Int
  var column: Int
}

/// A node of the document tree.
struct YAMLNode {
  /// How a single value is written.
  enum ScalarStyle {
    /// Without quotes, so that an empty one or `~` means "nothing".
    case plain
    case quoted
    /// `|` or `>`: the indented lines that follow.
    case block
  }

  enum Content {
    case scalar(String, ScalarStyle)
    case sequence([YAMLNode])
    case mapping([(key: YAMLNode, value: YAMLNode)])
  }

  /// What YAML puts before a value, or in its place: none of it is part of the value.
  enum Property {
    case tag, anchor, alias
  }

  var content: Content
  var start: Mark
  var end: Mark
  var property: Property?

  /// Whether it stands for "not given".
  var isNull: Bool {
    if case .scalar(let text, .plain) = content { return ["", "~", "null", "Null", "NULL"].contains(text) }
    return false
  }

  /// What a person would call it.
  var kindName: String {
    switch content {
    case .scalar: "a single value"
    case .sequence: "a list"
    case .mapping: "a block of keys"
    }
  }

  /// The first key of a block, to point at a block that lacks one.
  var firstKey: YAMLNode {
    if case .mapping(let pairs) = content, let first = pairs.first { first.key } else { self }
  }

  /// The value of a key of a block.
  func value(of name: String) -> YAMLNode? {
    guard case .mapping(let pairs) = content else { return nil }
    return pairs.first { pair in if case .scalar(name, _) = pair.key.content { true } else { false } }?.value
  }
}

/// A text that is no YAML.
struct YAMLError: Error, Equatable {
  var message: String
  var mark: Mark
  /// What libyaml was doing, in its own words; nil for errors of ours, which say all there is to say.
  var context: String?
}
