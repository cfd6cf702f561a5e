import CYAML

// From text to nodes: libyaml's events are put together here. Its own loader would do, but the time it takes grows with
// the square of the depth of nesting, and it forgets anchors, tags and aliases, which a secret must not have.

extension YAMLNode {
  /// No settings file is nested deeper.
  static let depthLimit = 32
  /// Aliases may repeat nodes: so many more than the text has bytes are an attack, not a settings file.
  static let aliasLimit = 1_000

  /// The root of the only document in `text`; nil when the text is empty.
  static func parse(_ text: [UInt8]) throws(YAMLError) -> YAMLNode? {
    var composer = YAMLComposer(parser: try YAMLParser(text), nodesLeft: text.count + aliasLimit)
    return try composer.document()
  }
}

/// One step of libyaml through the text.
private struct YAMLEvent {
  enum Kind {
    case scalar(String, YAMLNode.ScalarStyle)
    case sequenceStart, mappingStart, alias
    /// Of a list or a block.
    case end
    case documentStart, streamEnd, other
  }

  var kind: Kind
  /// The name that an anchor gives or an alias refers to.
  var anchor: String?
  var hasTag = false
  var start: Mark
  var end: Mark
}

/// Owns a yaml_parser_t and the text it reads (yaml.h).
private struct YAMLParser: ~Copyable {
  private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
  private let text: UnsafeMutableBufferPointer<UInt8>

  init(_ source: [UInt8]) throws(YAMLError) {
    text = .allocate(capacity: source.count)
    _ = text.initialize(from: source)
    guard yaml_parser_initialize(parser) == 1 else {
      text.deallocate()
      parser.deallocate()
      throw YAMLError(message: "out of memory", mark: Mark(line: 0, column: 0))
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, text.baseAddress, text.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    text.deallocate()
  }

  /// The next event.
  borrowing func next() throws(YAMLError) -> YAMLEvent {
    var raw = yaml_event_t()
    guard yaml_parser_parse(parser, &raw) == 1 else { throw error() }
    defer { yaml_event_delete(&raw) }
    var event = YAMLEvent(kind: .other, start: Mark(raw.start_mark), end: Mark(raw.end_mark))
    switch raw.type {
    case YAML_SCALAR_EVENT:
      let scalar = raw.data.scalar
      let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      event.kind = .scalar(String(decoding: bytes, as: UTF8.self), YAMLNode.ScalarStyle(scalar.style))
      (event.anchor, event.hasTag) = (text(of: scalar.anchor), scalar.tag != nil)
    case YAML_SEQUENCE_START_EVENT:
      event.kind = .sequenceStart
      (event.anchor, event.hasTag) = (text(of: raw.data.sequence_start.anchor), raw.data.sequence_start.tag != nil)
    case YAML_MAPPING_START_EVENT:
      event.kind = .mappingStart
      (event.anchor, event.hasTag) = (text(of: raw.data.mapping_start.anchor), raw.data.mapping_start.tag != nil)
    case YAML_ALIAS_EVENT: (event.kind, event.anchor) = (.alias, text(of: raw.data.alias.anchor))
    case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: event.kind = .end
    case YAML_DOCUMENT_START_EVENT: event.kind = .documentStart
    case YAML_STREAM_END_EVENT: event.kind = .streamEnd
    default: break
    }
    return event
  }

  private borrowing func text(of bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    bytes.map { String(cString: $0) }
  }

  /// Why the text is no YAML. A quote that never ends is reported where it opens.
  private borrowing func error() -> YAMLError {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not YAML"
    let context = parser.pointee.context.map { String(cString: $0) } ?? ""
    switch context {
    case "while scanning a quoted scalar":
      return YAMLError(message: "the quote that opens here is never closed", mark: Mark(parser.pointee.context_mark))
    case "while scanning a simple key":
      return YAMLError(
        message: "expected ':' after a key", mark: Mark(parser.pointee.context_mark), context: context)
    default: break
    }
    // Of bytes that may not be in YAML at all libyaml gives the offset only.
    let isUnreadable = parser.pointee.error == YAML_READER_ERROR
    let mark = isUnreadable ? Mark(of: parser.pointee.problem_offset, in: text) : Mark(parser.pointee.problem_mark)
    return YAMLError(message: problem + (context.isEmpty ? "" : " (\(context))"), mark: mark, context: context)
  }
}

/// Puts events together, within bounds.
private struct YAMLComposer: ~Copyable {
  /// A finished node, and what it takes to repeat it.
  private struct Composed {
    var node: YAMLNode
    /// Of all nodes in it, itself included.
    var count = 1
    /// How deep it is nested in itself.
    var height = 1
  }

  private let parser: YAMLParser
  private var nodesLeft: Int
  private var anchors: [String: Composed] = [:]
  /// Anchors of what is not finished yet.
  private var openAnchors: Set<String> = []
  /// The last quoted value that did not end in its line: often its own quote is missing, and another's ended it.
  private var longQuote: (start: Mark, end: Mark)?

  init(parser: consuming YAMLParser, nodesLeft: Int) {
    self.parser = parser
    self.nodesLeft = nodesLeft
  }

  mutating func document() throws(YAMLError) -> YAMLNode? {
    guard try begins() else { return nil }
    let root = try compose(try next(), depth: 0).node
    if try begins() {
      throw YAMLError(message: "a second document begins here; settings are one document", mark: try next().start)
    }
    return root
  }

  /// Goes to the next document; false when there is none.
  private mutating func begins() throws(YAMLError) -> Bool {
    while true {
      switch try next().kind {
      case .documentStart: return true
      case .streamEnd: return false
      default: continue
      }
    }
  }

  private mutating func next() throws(YAMLError) -> YAMLEvent {
    do throws(YAMLError) { return try parser.next() } catch {
      guard let quote = longQuote, quote.end.line == error.mark.line, error.context != nil else { throw error }
      throw YAMLError(
        message: "the quote that opens here only ends in line \(quote.end.line + 1); is its own end missing?",
        mark: quote.start)
    }
  }

  private mutating func compose(_ event: YAMLEvent, depth: Int) throws(YAMLError) -> Composed {
    if case .alias = event.kind { return try repeated(event, depth: depth) }
    nodesLeft -= 1
    if nodesLeft <= 0 { throw YAMLError(message: "aliases repeat too much", mark: event.start) }
    if depth >= YAMLNode.depthLimit { throw YAMLError(message: "too deeply nested", mark: event.start) }
    if let anchor = event.anchor { openAnchors.insert(anchor) }
    var composed = Composed(node: YAMLNode(content: .sequence([]), start: event.start, end: event.end))
    switch event.kind {
    case .scalar(let text, let style):
      composed.node.content = .scalar(text, style)
      if style == .quoted, event.end.line > event.start.line { longQuote = (event.start, event.end) }
    case .mappingStart: try composePairs(into: &composed, depth: depth)
    default: try composeItems(into: &composed, depth: depth)
    }
    composed.node.property = event.hasTag ? .tag : event.anchor == nil ? nil : .anchor
    if let anchor = event.anchor {
      openAnchors.remove(anchor)
      anchors[anchor] = composed
    }
    return composed
  }

  private mutating func composeItems(into composed: inout Composed, depth: Int) throws(YAMLError) {
    var items: [YAMLNode] = []
    while let item = try child(of: &composed, depth: depth) { items.append(item) }
    composed.node.content = .sequence(items)
  }

  private mutating func composePairs(into composed: inout Composed, depth: Int) throws(YAMLError) {
    var pairs: [(key: YAMLNode, value: YAMLNode)] = []
    while let key = try child(of: &composed, depth: depth), let value = try child(of: &composed, depth: depth) {
      pairs.append((key, value))
    }
    composed.node.content = .mapping(pairs)
  }

  /// The next node in a list or a block; nil at its end.
  private mutating func child(of parent: inout Composed, depth: Int) throws(YAMLError) -> YAMLNode? {
    let event = try next()
    if case .end = event.kind {
      parent.node.end = event.end
      return nil
    }
    let child = try compose(event, depth: depth + 1)
    parent.count += child.count
    parent.height = max(parent.height, child.height + 1)
    return child.node
  }

  private mutating func repeated(_ event: YAMLEvent, depth: Int) throws(YAMLError) -> Composed {
    let name = event.anchor ?? ""
    if openAnchors.contains(name) { throw YAMLError(message: "an alias that contains itself", mark: event.start) }
    guard var composed = anchors[name] else {
      throw YAMLError(
        message: "'*' begins an alias, and nothing has this name; put a value that begins with '*' into quotes",
        mark: event.start)
    }
    nodesLeft -= composed.count
    if nodesLeft <= 0 { throw YAMLError(message: "aliases repeat too much", mark: event.start) }
    if depth + composed.height > YAMLNode.depthLimit {
      throw YAMLError(message: "too deeply nested", mark: event.start)
    }
    composed.node.property = .alias
    return composed
  }
}

extension YAMLNode.ScalarStyle {
  fileprivate init(_ style: yaml_scalar_style_t) {
    switch style {
    case YAML_PLAIN_SCALAR_STYLE: self = .plain
    case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: self = .block
    default: self = .quoted
    }
  }
}

extension Mark {
  /// The place of a byte in UTF-8 text.
  fileprivate init(of offset: Int, in text: UnsafeMutableBufferPointer<UInt8>) {
    let before = text.prefix(offset)
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    self.init(
      line: before.count { $0 == UInt8(ascii: "\n") },
      column: String(decoding: before[lineStart...], as: UTF8.self).unicodeScalars.count)
  }

  fileprivate init(_ mark: yaml_mark_t) { self.init(line: mark.line, column: mark.column) }
}
