// What swift-argument-parser uses of Foundation, and nothing else, under the module's own name: errors that describe
// themselves, and JSON for `--experimental-dump-help`. Foundation's own FoundationEssentials is one object that a linker
// takes or leaves as a whole: 4.5 MB of the board's binary. sdk.sh puts this in its place, in the SDK for the board only.
//
// Invariant: camgate says the same, byte for byte, as on the desk with the real one (Toolchain/cross/test/binary.py).

public protocol LocalizedError: Error {
  var errorDescription: String? { get }
}

extension LocalizedError {
  public var errorDescription: String? { nil }
}

public struct Data {
  let bytes: [UInt8]
}

extension String {
  public enum Encoding { case utf8 }

  public init?(data: Data, encoding: Encoding) {
    self.init(decoding: data.bytes, as: UTF8.self)
  }
}

/// Encodes text, whole numbers, truth values, and arrays and objects of them; throws on anything else. The output is
/// always pretty and sorted.
public final class JSONEncoder {
  public struct OutputFormatting: OptionSet, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    public static let prettyPrinted = OutputFormatting(rawValue: 1 << 0)
    public static let sortedKeys = OutputFormatting(rawValue: 1 << 1)
  }

  public var outputFormatting: OutputFormatting = []

  public init() {}

  public func encode<T: Encodable>(_ value: T) throws -> Data {
    Data(bytes: Array(try Node(encoding: value).text(indentation: "").utf8))
  }
}

/// A JSON value that is being built; containers fill it.
private final class Node {
  enum Content {
    case literal(String)
    case array([Node])
    case object([String: Node])
  }

  var content = Content.literal("null")

  init() {}

  init<T: Encodable>(encoding value: T) throws {
    switch value {
    case let value as String: content = .literal(quoted(value))
    case let value as Bool: content = .literal(value ? "true" : "false")
    case let value as any BinaryInteger: content = .literal("\(value)")
    case is any BinaryFloatingPoint:
      throw EncodingError.invalidValue(value, .init(codingPath: [], debugDescription: "no whole number"))
    default: try value.encode(to: NodeEncoder(node: self))
    }
  }

  func append(_ child: Node) {
    guard case .array(let children) = content else { return content = .array([child]) }
    content = .array(children + [child])
  }

  func set(_ key: any CodingKey, _ child: Node) {
    guard case .object(var children) = content else { return content = .object([key.stringValue: child]) }
    children[key.stringValue] = child
    content = .object(children)
  }

  func text(indentation: String) -> String {
    let inner = indentation + "  "
    switch content {
    case .literal(let text): return text
    case .array(let children):
      let lines = children.map { inner + $0.text(indentation: inner) }
      return "[\n\(lines.joined(separator: ",\n"))\n\(indentation)]"
    case .object(let children):
      let lines = children.sorted { $0.key < $1.key }.map { key, child in
        "\(inner)\(quoted(key)) : \(child.text(indentation: inner))"
      }
      return "{\n\(lines.joined(separator: ",\n"))\n\(indentation)}"
    }
  }
}

private func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"", "\\", "/": result += "\\\(scalar)"
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    case "\u{0}"..<" ":
      let digits = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

private struct NodeEncoder: Encoder {
  let node: Node
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    node.content = .object([:])
    return KeyedEncodingContainer(ObjectContainer(node: node))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    node.content = .array([])
    return ArrayContainer(node: node)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { ValueContainer(node: node) }
}

// The one generic method of each container meets the fifteen requirements for single types as well.

private struct ObjectContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let node: Node
  var codingPath: [any CodingKey] { [] }

  func encodeNil(forKey key: Key) { node.set(key, Node()) }

  func encode<T: Encodable>(_ value: T, forKey key: Key) throws { node.set(key, try Node(encoding: value)) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
    nested(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { nested(key).unkeyedContainer() }

  func superEncoder() -> any Encoder { NodeEncoder(node: node) }

  func superEncoder(forKey key: Key) -> any Encoder { nested(key) }

  private func nested(_ key: any CodingKey) -> NodeEncoder {
    let child = Node()
    node.set(key, child)
    return NodeEncoder(node: child)
  }
}

private struct ArrayContainer: UnkeyedEncodingContainer {
  let node: Node
  var codingPath: [any CodingKey] { [] }
  var count: Int {
    guard case .array(let children) = node.content else { return 0 }
    return children.count
  }

  func encodeNil() { node.append(Node()) }

  func encode<T: Encodable>(_ value: T) throws { node.append(try Node(encoding: value)) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    nested().container(keyedBy: type)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nested().unkeyedContainer() }

  func superEncoder() -> any Encoder { nested() }

  private func nested() -> NodeEncoder {
    let child = Node()
    node.append(child)
    return NodeEncoder(node: child)
  }
}

private struct ValueContainer: SingleValueEncodingContainer {
  let node: Node
  var codingPath: [any CodingKey] { [] }

  func encodeNil() { node.content = .literal("null") }

  func encode<T: Encodable>(_ value: T) throws { node.content = try Node(encoding: value).content }
}
