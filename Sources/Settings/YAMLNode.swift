import CYAML

// The settings file as libyaml's nodes, with the place of each: what every error message points at.

/// A place in the file, counted from 0; columns count characters.
struct Mark: Sendable, Equatable {
  var line: Int
  var column: Int
}

/// A node of the document tree.
struct YAMLNode {
  enum Content {
    /// `isPlain`: written without quotes, so that an empty one or `~` means "nothing".
    case scalar(String, isPlain: Bool)
    case sequence([YAMLNode])
    case mapping([(key: YAMLNode, value: YAMLNode)])
  }

  var content: Content
  var start: Mark
  var end: Mark

  /// Whether it stands for "not given".
  var isNull: Bool {
    if case .scalar(let text, isPlain: true) = content { return ["", "~", "null", "Null", "NULL"].contains(text) }
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
}

/// A text that is no YAML.
struct YAMLError: Error, Equatable {
  var message: String
  var mark: Mark
}

extension YAMLNode {
  /// Aliases may repeat nodes: so many more than the text has bytes are an attack, not a settings file.
  static let aliasLimit = 1_000
  static let depthLimit = 32

  /// The root of the only document in `text`; nil when the text is empty.
  static func parse(_ text: [UInt8]) throws(YAMLError) -> YAMLNode? {
    let parser = try YAMLParser(text)
    guard let document = try parser.load() else { return nil }
    var budget = text.count + aliasLimit
    guard let root = try document.root(budget: &budget) else { return nil }
    if let second = try parser.load(), let mark = second.startMark {
      throw YAMLError(message: "a second document begins here; settings are one document", mark: mark)
    }
    return root
  }
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

  /// The next document; nil at the end of the stream.
  borrowing func load() throws(YAMLError) -> YAMLDocument? {
    let document = YAMLDocument()
    guard yaml_parser_load(parser, document.pointer) == 1 else {
      let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not YAML"
      let context = parser.pointee.context.map { " (\(String(cString: $0)))" } ?? ""
      // Of bytes that may not be in YAML at all libyaml gives the offset only.
      let isUnreadable = parser.pointee.error == YAML_READER_ERROR
      let mark = isUnreadable ? Mark(of: parser.pointee.problem_offset, in: text) : Mark(parser.pointee.problem_mark)
      throw YAMLError(message: problem + context, mark: mark)
    }
    return yaml_document_get_root_node(document.pointer) == nil ? nil : document
  }
}

/// Owns a yaml_document_t.
private final class YAMLDocument {
  let pointer = UnsafeMutablePointer<yaml_document_t>.allocate(capacity: 1)

  init() { pointer.initialize(to: yaml_document_t()) }

  deinit {
    yaml_document_delete(pointer)
    pointer.deallocate()
  }

  var startMark: Mark? { yaml_document_get_root_node(pointer).map { Mark($0.pointee.start_mark) } }

  func root(budget: inout Int) throws(YAMLError) -> YAMLNode? {
    guard let root = yaml_document_get_root_node(pointer) else { return nil }
    return try node(root.pointee, depth: 0, budget: &budget)
  }

  private func node(_ raw: yaml_node_t, depth: Int, budget: inout Int) throws(YAMLError) -> YAMLNode {
    budget -= 1
    let place = Mark(raw.start_mark)
    if budget <= 0 { throw YAMLError(message: "aliases repeat too much", mark: place) }
    if depth >= YAMLNode.depthLimit {
      throw YAMLError(message: "too deeply nested, or an alias that contains itself", mark: place)
    }
    let content: YAMLNode.Content
    switch raw.type {
    case YAML_SEQUENCE_NODE:
      var items: [YAMLNode] = []
      var next = raw.data.sequence.items.start
      while let item = next, item != raw.data.sequence.items.top {
        items.append(try child(item.pointee, depth: depth, budget: &budget))
        next = item + 1
      }
      content = .sequence(items)
    case YAML_MAPPING_NODE:
      var pairs: [(key: YAMLNode, value: YAMLNode)] = []
      var next = raw.data.mapping.pairs.start
      while let pair = next, pair != raw.data.mapping.pairs.top {
        let key = try child(pair.pointee.key, depth: depth, budget: &budget)
        pairs.append((key, try child(pair.pointee.value, depth: depth, budget: &budget)))
        next = pair + 1
      }
      content = .mapping(pairs)
    default:
      let scalar = raw.data.scalar
      let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      content = .scalar(
        String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
    }
    return YAMLNode(content: content, start: Mark(raw.start_mark), end: Mark(raw.end_mark))
  }

  private func child(_ index: Int32, depth: Int, budget: inout Int) throws(YAMLError) -> YAMLNode {
    guard let raw = yaml_document_get_node(pointer, index) else {
      throw YAMLError(message: "broken document", mark: Mark(line: 0, column: 0))
    }
    return try node(raw.pointee, depth: depth + 1, budget: &budget)
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
