// One-line JSON objects for `--json` and for the log: written, never read.

/// Builds one JSON object on one line (RFC 8259), keys in the order they are added.
package struct JSONObject: Sendable {
  private enum Value: Sendable {
    /// A number or a truth value, as JSON has it.
    case literal(String)
    case string(String)
    case strings([String])
    case object(JSONObject)
    case objects([JSONObject])
  }

  private var members: [(key: String, value: Value)] = []

  package init() {}

  /// Adds a string.
  package mutating func add(_ key: String, _ value: String) { members.append((key, .string(value))) }
  /// Adds an integer.
  package mutating func add(_ key: String, _ value: some BinaryInteger) { members.append((key, .literal("\(value)"))) }
  /// Adds a number; JSON has no infinity or NaN, they become null.
  package mutating func add(_ key: String, _ value: Double) {
    members.append((key, .literal(JSONObject.number(value))))
  }
  /// Adds a truth value.
  package mutating func add(_ key: String, _ value: Bool) { members.append((key, .literal(value ? "true" : "false"))) }
  /// Adds an object.
  package mutating func add(_ key: String, _ value: JSONObject) { members.append((key, .object(value))) }
  /// Adds an array of strings.
  package mutating func add(_ key: String, _ values: [String]) { members.append((key, .strings(values))) }
  /// Adds an array of numbers.
  package mutating func add(_ key: String, _ values: [Double]) {
    members.append((key, .literal("[" + values.map(JSONObject.number).joined(separator: ",") + "]")))
  }
  /// Adds an array of objects.
  package mutating func add(_ key: String, _ values: [JSONObject]) { members.append((key, .objects(values))) }

  /// The object as text without a line end.
  package var text: String { text(showing: { $0 }) }

  /// The object as text without a line end, each of its strings as `shown` gives it: a secret has to be found before
  /// quoting changes it.
  package func text(showing shown: (String) -> String) -> String {
    func quoted(_ text: String) -> String { JSONObject.quoted(shown(text)) }
    let texts = members.map { key, value in
      switch value {
      case .literal(let text): JSONObject.quoted(key) + ":" + text
      case .string(let text): JSONObject.quoted(key) + ":" + quoted(text)
      case .strings(let texts): JSONObject.quoted(key) + ":[" + texts.map(quoted).joined(separator: ",") + "]"
      case .object(let object): JSONObject.quoted(key) + ":" + object.text(showing: shown)
      case .objects(let objects):
        JSONObject.quoted(key) + ":[" + objects.map { $0.text(showing: shown) }.joined(separator: ",") + "]"
      }
    }
    return "{" + texts.joined(separator: ",") + "}"
  }

  private static func number(_ value: Double) -> String { value.isFinite ? "\(value)" : "null" }

  /// A JSON string literal. What steers a terminal is escaped too, though JSON allows most of it.
  package static func quoted(_ text: String) -> String { "\"" + escaping(text, quotes: true) + "\"" }

  /// A line of JSON from elsewhere as it may be shown: what steers a terminal is escaped.
  package static func withoutSteering(line: String) -> String { escaping(line, quotes: false) }

  private static func escaping(_ text: String, quotes: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"" where quotes: result += "\\\""
      case "\\" where quotes: result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.isSteering:
        for unit in String(scalar).utf16 {
          let hexadecimal = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
        }
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
