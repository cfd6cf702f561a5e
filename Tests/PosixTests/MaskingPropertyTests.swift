import Foundation
import Posix
import Testing

/// Random secrets, spelt in every way, cut anywhere, split by control characters, in random texts: no four bytes in a row
/// of a secret's spelling are shown. The texts around them are of other letters, so that whatever is found is a leak.
@Suite struct MaskingPropertyTests {
  /// SplitMix64, so that a failure can be repeated by its seed.
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
      return mixed ^ (mixed >> 31)
    }
  }

  enum Spelling: CaseIterable {
    case plain, percent, lowercasePercent, somePercent, twicePercent, json, asciiJSON, xml, yaml
    case base64, base64URL, unpadded, login, loginURL, foreignLogin
  }

  enum Cut: CaseIterable {
    case none, marked, atTheEnd, inTheMiddle
  }

  private static let letters = Array("abcXYZ019+/=-_.~@:%&\"'\\<>?#, ü€😀[]{}")

  @Test(arguments: Spelling.allCases, Cut.allCases)
  func nothingIsShown(_ spelling: Spelling, _ cut: Cut) throws {
    for seed in 0..<30 as Range<UInt64> {
      var random = Generator(state: seed)
      let secret = Self.secret(&random)
      let username = "user" + String(seed)
      // What is written, and from which of its characters on it is the secret's.
      let (text, own) = try Self.spell(secret, username, spelling, &random)
      let shown = cut == .none ? text : Array(text[..<Int.random(in: own...text.count, using: &random)])
      let written = Self.split(shown, &random)
      let front = Self.words(
        cut == .atTheEnd || cut == .inTheMiddle ? 200 : Int.random(in: 0...3, using: &random), &random)
      let back: String
      switch cut {
      case .none: back = Self.words(2, &random)
      case .marked: back = "… " + Self.words(2, &random)
      case .atTheEnd: back = ""
      case .inTheMiddle: back = " (" + Self.words(2, &random)
      }
      let secrets = Secrets()
      secrets.register(secret, username: username)
      let output = secrets.masked(front + " " + written + (cut == .none ? " " : "") + back)
      let bytes = Array(String(String.UnicodeScalarView(shown[own...])).utf8)
      let length = min(4, bytes.count)
      // An escape whose end is cut off may stand for anything.
      guard length > 0, cut == .none || length == 4, spelling != .asciiJSON || shown.count >= 6 else { continue }
      let joined = Array(
        output.unicodeScalars.filter { $0 != "\u{fffd}" && $0 != "\n" }.map { String($0) }.joined().utf8)
      let isShown = !Self.windows(of: bytes, length).isDisjoint(with: Self.windows(of: joined, length))
      #expect(!isShown, "seed \(seed): '\(secret)' as '\(written)' in '\(output)'")
      #expect(output.hasPrefix(front + " "), "seed \(seed): '\(secret)' as '\(written)' in '\(output)'")
      // A space behind a cut may be the secret's.
      #expect(output.hasSuffix(back.drop { $0 == " " }), "seed \(seed): '\(secret)' as '\(written)' in '\(output)'")
      #expect(secrets.masked(output) == output, "seed \(seed)")
    }
  }

  private static func windows(of bytes: [UInt8], _ length: Int) -> Set<ArraySlice<UInt8>> {
    Set((0..<max(0, bytes.count - length + 1)).map { bytes[$0..<$0 + length] })
  }

  private static func secret(_ random: inout Generator) -> String {
    // A sign first and last, so that its neighbours cannot be taken for a part of it.
    let inner = (0..<Int.random(in: 3...20, using: &random)).map { _ in letters.randomElement(using: &random)! }
    return "a" + String(inner) + "z"
  }

  /// Words of letters that no spelling of a secret has.
  private static func words(_ count: Int, _ random: inout Generator) -> String {
    (0..<count).map { _ in ["αβγ", "δ", "λμν"].randomElement(using: &random)! }.joined(separator: "|")
  }

  private static func split(_ text: [Unicode.Scalar], _ random: inout Generator) -> String {
    var result = String.UnicodeScalarView()
    let isSplit = Bool.random(using: &random)
    for scalar in text {
      result.append(scalar)
      if isSplit, Int.random(in: 0..<4, using: &random) == 0 {
        result.append(["\r", "\u{1b}", "\u{9b}", "\n", "\u{200b}", "\u{0}", "\u{7f}"].randomElement(using: &random)!)
      }
    }
    return String(result)
  }

  private static func spell(
    _ secret: String, _ username: String, _ spelling: Spelling, _ random: inout Generator
  ) throws -> ([Unicode.Scalar], Int) {
    func percent(_ text: String, _ format: String = "%%%02X", _ isEncoded: () -> Bool = { true }) -> String {
      text.unicodeScalars.map { scalar in
        let isPlain = scalar.isASCII && CharacterSet.alphanumerics.contains(scalar)
        return isPlain || scalar != "%" && !isEncoded()
          ? String(scalar) : String(scalar).utf8.map { String(format: format, $0) }.joined()
      }.joined()
    }
    func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
    func safe(_ text: String) -> String { text.replacing("+", with: "-").replacing("/", with: "_") }
    let text: String
    var own = 0
    switch spelling {
    case .plain: text = secret
    case .percent: text = percent(secret)
    case .lowercasePercent: text = percent(secret, "%%%02x")
    case .somePercent: text = percent(secret) { Bool.random(using: &random) }
    case .twicePercent: text = percent(percent(secret))
    case .json: text = String(String(decoding: try JSONEncoder().encode(secret), as: UTF8.self).dropFirst().dropLast())
    case .asciiJSON: text = secret.utf16.map { String(format: "\\u%04X", $0) }.joined()
    case .xml: text = secret.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&#34;")
    case .yaml: text = secret.replacing("'", with: "''")
    case .base64: text = base64(secret)
    case .base64URL: text = safe(base64(secret))
    case .unpadded: text = base64(secret).replacing("=", with: "")
    case .login: text = base64(username + ":" + secret)
    case .loginURL: text = safe(base64(username + ":" + secret))
    case .foreignLogin:
      // The first character that holds a bit of the secret.
      let other = "u" + String(repeating: "s", count: Int.random(in: 0...2, using: &random)) + ":"
      text = base64(other + secret)
      own = (other.utf8.count * 8) / 6
    }
    return (Array(text.unicodeScalars), own)
  }
}
