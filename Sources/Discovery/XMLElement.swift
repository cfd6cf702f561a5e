import CExpat

// XML from strangers, read by expat into a small tree. Bounded in every direction: bytes, depth, elements; a document
// type, with its entities, is refused.

/// An element. Names are local names: devices disagree about namespaces, and none that Camgate asks for is ambiguous.
package final class XMLElement {
  package let name: String
  package fileprivate(set) var attributes: [String: String] = [:]
  /// The characters directly in it.
  package fileprivate(set) var text = ""
  package fileprivate(set) var children: [XMLElement] = []

  init(name: String) { self.name = name }

  static let byteLimit = 256 << 10
  static let depthLimit = 32
  static let elementLimit = 5_000

  /// The root of a document; nil when it is none, or too large, or has a document type.
  package static func parse(_ bytes: [UInt8]) -> XMLElement? {
    guard bytes.count <= byteLimit, let parser = XML_ParserCreateNS(nil, separator) else { return nil }
    defer { XML_ParserFree(parser) }
    let builder = Builder(parser)
    XML_SetUserData(parser, Unmanaged.passUnretained(builder).toOpaque())
    XML_SetElementHandler(
      parser,
      { data, name, attributes in Builder.of(data)?.start(name, attributes) },
      { data, _ in Builder.of(data)?.end() })
    XML_SetCharacterDataHandler(parser) { data, characters, count in Builder.of(data)?.add(characters, count) }
    XML_SetStartDoctypeDeclHandler(parser) { data, _, _, _, _ in Builder.of(data)?.refuse() }
    let isGood = bytes.withUnsafeBytes { bytes in
      XML_Parse(parser, bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count), 1) == XML_STATUS_OK
    }
    return withExtendedLifetime(builder) { isGood ? builder.root : nil }
  }

  /// All elements below this one, itself first, in document order.
  package var all: [XMLElement] { [self] + children.flatMap(\.all) }

  /// All elements of a name below this one.
  package func all(_ name: String) -> [XMLElement] { all.filter { $0.name == name } }

  /// The first element below this one at the end of a path of names, each somewhere below the one before.
  package func first(_ path: String...) -> XMLElement? {
    var element: XMLElement? = self
    for name in path { element = element?.children.flatMap(\.all).first { $0.name == name } }
    return element
  }

  /// The text of `first`, without the white space around it; nil when there is no such element.
  package func text(_ path: String...) -> String? {
    var element: XMLElement? = self
    for name in path { element = element?.first(name) }
    return (element?.text).map(trimmed)
  }

  /// Between namespace and name, which have none of it.
  fileprivate static let separator = CChar(1)
}

/// Puts the tree together while expat reads.
private final class Builder {
  private let parser: XML_Parser
  private(set) var root: XMLElement?
  private var open: [XMLElement] = []
  private var elementCount = 0

  init(_ parser: XML_Parser) { self.parser = parser }

  static func of(_ data: UnsafeMutableRawPointer?) -> Builder? {
    data.map { Unmanaged<Builder>.fromOpaque($0).takeUnretainedValue() }
  }

  func start(_ name: UnsafePointer<CChar>?, _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?) {
    elementCount += 1
    guard let name, elementCount <= XMLElement.elementLimit, open.count < XMLElement.depthLimit else { return refuse() }
    let element = XMLElement(name: local(name))
    var next = attributes
    while let pair = next, let key = pair[0], let value = pair[1] {
      element.attributes[local(key)] = String(cString: value)
      next = pair + 2
    }
    open.last?.children.append(element)
    root = root ?? element
    open.append(element)
  }

  func end() { _ = open.popLast() }

  func add(_ characters: UnsafePointer<CChar>?, _ count: Int32) {
    guard let characters, let element = open.last else { return }
    let bytes = UnsafeRawBufferPointer(start: characters, count: Int(count))
    element.text += String(decoding: bytes, as: UTF8.self)
  }

  func refuse() { XML_StopParser(parser, 0) }

  private func local(_ name: UnsafePointer<CChar>) -> String {
    let text = String(cString: name)
    return text.utf8.lastIndex(of: UInt8(XMLElement.separator)).map { String(text[text.utf8.index(after: $0)...]) }
      ?? text
  }
}

/// `text` without white space around it.
func trimmed(_ text: String) -> String {
  let isSpace = { (character: Character) in character.isWhitespace }
  var result = text.drop(while: isSpace)
  while result.last.map(isSpace) == true { result.removeLast() }
  return String(result)
}

/// What a stranger wrote as it may be shown: one line with U+FFFD for what steers a terminal, at most `limit` characters;
/// the last one is `…` where more followed, so that a secret that was cut there is known as one (`Secrets.masked`).
func printable(_ text: String, limit: Int = 200) -> String {
  let scalars = trimmed(text).unicodeScalars
  var result = ""
  for scalar in scalars.prefix(scalars.count > limit ? limit - 1 : limit) {
    switch scalar.properties.generalCategory {
    case _ where scalar.isSteering: result += "\u{fffd}"
    case .surrogate, .privateUse, .unassigned: result += "\u{fffd}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return scalars.count > limit ? result + "…" : result
}

/// `text` as it stands between tags or in an attribute.
func escaped(_ text: String) -> String {
  text.unicodeScalars.reduce(into: "") { result, scalar in
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    default: result.unicodeScalars.append(scalar)
    }
  }
}
