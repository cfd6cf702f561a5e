// One-line JSON objects for `--json` and for the log: written, never read.

/// Builds one JSON object on one line (RFC 8259), keys in the order they are added.
package struct JSONObject: Sendable {
  private var members: [String] = []

  package init() {}

  /// Adds a string.
  package mutating func add(_ key: String, _ value: String) { append(key, JSONObject.quoted(value)) }
  /// Adds an integer.
  package mutating func add(_ key: String, _ value: some BinaryInteger) { append(key, "\(value)") }
  /// Adds a number; JSON has no infinity or NaN, they become null.
  package mutating func add(_ key: String, _ value: Double) { append(key, value.isFinite ? "\(value)" : "null") }
  /// Adds a truth value.
  package mutating func add(_ key: String, _ value: Bool) { append(key, value ? "true" : "false") }
  /// Adds an object.
  package mutating func add(_ key: String, _ value: JSONObject) { append(key, value.text) }
  /// Adds an array of strings.
  package mutating func add(_ key: String, _ values: [String]) {
    append(key, "[" + values.map(JSONObject.quoted).joined(separator: ",") + "]")
  }
  /// Adds an array of numbers.
  package mutating func add(_ key: String, _ values: [Double]) {
    append(key, "[" + values.map { $0.isFinite ? "\($0)" : "null" }.joined(separator: ",") + "]")
  }
  /// Adds an array of objects.
  package mutating func add(_ key: String, _ values: [JSONObject]) {
    append(key, "[" + values.map(\.text).joined(separator: ",") + "]")
  }

  /// The object as text without a line end.
  package var text: String { "{" + members.joined(separator: ",") + "}" }

  private mutating func append(_ key: String, _ value: String) { members.append(JSONObject.quoted(key) + ":" + value) }

  /// A JSON string literal.
  package static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
