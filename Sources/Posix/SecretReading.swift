// Finds secrets in a text, however their characters are escaped there, and whatever a stranger put between them.

/// A text read for secrets: each place as the character it is, and as the one it may stand for. Line ends, and what is left
/// of control characters, are passed over.
struct SecretReading {
  private let scalars: [Unicode.Scalar]
  /// Where each of them is in the whole text.
  private let origins: [Int]
  /// What escapes stand for, by the place where they begin.
  private var escapes: [[(scalar: Unicode.Scalar, end: Int)]]
  /// Where escapes begin, and where the text is cut if their ends are cut off.
  private var cutEscapes: [Int: Int] = [:]

  /// `text` is one after `cleanedScalars`.
  init(_ text: [Unicode.Scalar]) {
    origins = text.indices.filter { !SecretReading.isPassedOver(text[$0]) }
    scalars = origins.map { text[$0] }
    escapes = [[(scalar: Unicode.Scalar, end: Int)]](repeating: [], count: scalars.count)
    for (index, scalar) in scalars.enumerated() {
      var found: [(Unicode.Scalar, Int)] = []
      switch scalar {
      case "%", "\\": found = bytes(at: index).compactMap { character($0) } + json(at: index)
      case "&": found = entity(at: index).map { [$0] } ?? []
      case "+": found.append((" ", index + 1))
      case "'": if index + 1 < scalars.count, scalars[index + 1] == "'" { found.append((scalar, index + 2)) }
      default: continue
      }
      escapes[index] = found.map { (scalar: $0.0 == "\t" ? " " : $0.0, end: $0.1) }
      if "%\\&".unicodeScalars.contains(scalar) { cutEscapes[index] = cut(at: index) }
    }
  }

  /// Whether a character is no part of a secret that can be recognised.
  static func isPassedOver(_ scalar: Unicode.Scalar) -> Bool { scalar == "\u{fffd}" || scalar == "\n" }

  /// Marks every place of the whole text where `form` stands; with `mayBeCut` also where its beginning stands in front of
  /// a place where the text may have been cut. In front of `…` it always was.
  func mark(_ form: SecretForm, mayBeCut: Bool, _ hidden: inout [Bool]) {
    guard let first = form.scalars.first else { return }
    for start in scalars.indices where mayBegin(first, at: start, form) {
      let match = longestMatch(of: form, from: start)
      let begin = form.sharesFirst && start > 0 && Base64.contains(scalars[start - 1]) ? start - 1 : start
      var end = match.end
      if match.isWhole {
        if form.sharesLast, end < scalars.count, Base64.contains(scalars[end]) { end += 1 }
        if form.isBase64 { end = skippingPadding(from: end) }
      } else {
        let ends = [match.cut ?? end, end].sorted(by: >)
        guard let cut = ends.first(where: { isCut(at: $0, from: begin, mayBeCut: mayBeCut) }) else { continue }
        end = cut
      }
      for index in origins[begin]...origins[end - 1] { hidden[index] = true }
    }
  }

  private func mayBegin(_ first: Unicode.Scalar, at index: Int, _ form: SecretForm) -> Bool {
    isRead(scalars[index], as: first, form) || escapes[index].contains { isRead($0.scalar, as: first, form) }
  }

  private func isRead(_ scalar: Unicode.Scalar, as wanted: Unicode.Scalar, _ form: SecretForm) -> Bool {
    scalar == wanted || form.isBase64 && (scalar == "-" && wanted == "+" || scalar == "_" && wanted == "/")
  }

  /// How far the text from `start` on reads as the beginning of `form`, and whether as all of it; `cut` is where it is cut
  /// inside the escape that may come next.
  private func longestMatch(of form: SecretForm, from start: Int) -> (end: Int, isWhole: Bool, cut: Int?) {
    // An escape may stand for a character, or be the characters it is made of: both are followed.
    var places = [start]
    // One reading may end at a cut while another goes further into the form and fails.
    var (furthest, cut) = (start, nil as Int?)
    for wanted in form.scalars {
      var next: [Int] = []
      func reach(_ place: Int) { if !next.contains(place) { next.append(place) } }
      var index = 0
      while index < places.count {
        let place = places[index]
        index += 1
        furthest = max(furthest, place)
        guard place < scalars.count else { continue }
        cut = cutEscapes[place] ?? cut
        if isRead(scalars[place], as: wanted, form) { reach(place + 1) }
        for escape in escapes[place] {
          if isRead(escape.scalar, as: wanted, form) { reach(escape.end) }
          // An escaped control character is passed over like any other.
          if escape.scalar.isSteering || SecretReading.isPassedOver(escape.scalar), !places.contains(escape.end) {
            places.append(escape.end)
          }
        }
      }
      if next.isEmpty { return (furthest, false, cut) }
      places = next
    }
    return (places.max() ?? start, true, nil)
  }

  /// `=`, also percent-encoded, at most two.
  private func skippingPadding(from place: Int) -> Int {
    var place = place
    for _ in 0..<2 where place < scalars.count {
      if scalars[place] == "=" {
        place += 1
      } else if let escape = escapes[place].first(where: { $0.scalar == "=" }) {
        place = escape.end
      }
    }
    return place
  }

  /// The fewest bytes that count as the beginning of a secret where something may follow the cut.
  private static let shortestBeginning = 4

  /// Whether a secret may have been cut off at `end`.
  private func isCut(at end: Int, from start: Int, mayBeCut: Bool) -> Bool {
    if end < scalars.count, scalars[end] == "…" { return true }
    guard mayBeCut else { return false }
    if end == scalars.count { return true }
    // Words that begin as a secret does are no secrets: what libraries put behind a cut begins with no letter.
    let count = scalars[start..<end].reduce(0) { $0 + UTF8.width($1) }
    let isWord = scalars[end].properties.isAlphabetic || scalars[end].properties.numericType != nil
    return count >= SecretReading.shortestBeginning && !isWord
  }

  // Escapes.

  private func hexadecimal(_ range: Range<Int>) -> UInt32? {
    guard range.upperBound <= scalars.count else { return nil }
    var value: UInt32 = 0
    for scalar in scalars[range] {
      guard scalar.isASCII, let digit = Character(scalar).hexDigitValue else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value
  }

  /// The bytes that `%40`, `%2540` (encoded twice) or `\x40` at a place stand for.
  private func bytes(at index: Int) -> [(byte: UInt8, end: Int)] {
    guard index < scalars.count else { return [] }
    if scalars[index] == "\\" {
      guard index + 1 < scalars.count, scalars[index + 1] == "x", let byte = hexadecimal(index + 2..<index + 4) else {
        return []
      }
      return [(UInt8(byte), index + 4)]
    }
    guard scalars[index] == "%", var byte = hexadecimal(index + 1..<index + 3) else { return [] }
    var (end, result) = (index + 3, [(byte: UInt8(byte), end: index + 3)])
    while byte == 0x25, let next = hexadecimal(end..<end + 2) {
      (byte, end) = (next, end + 2)
      result.append((UInt8(byte), end))
    }
    return result
  }

  /// The character that begins with this byte, with the bytes behind it that belong to it.
  private func character(_ first: (byte: UInt8, end: Int)) -> (Unicode.Scalar, Int)? {
    if first.byte < 0x80 { return (Unicode.Scalar(first.byte), first.end) }
    let count = first.byte >= 0xf0 ? 3 : first.byte >= 0xe0 ? 2 : 1
    var (value, end) = (UInt32(first.byte) & (0x3f >> UInt32(count)), first.end)
    for _ in 0..<count {
      guard let next = bytes(at: end).last(where: { $0.byte & 0xc0 == 0x80 }) else { return nil }
      (value, end) = (value << 6 | UInt32(next.byte & 0x3f), next.end)
    }
    return Unicode.Scalar(value).map { ($0, end) }
  }

  /// What a backslash and the character behind it stand for in JSON (RFC 8259, 7).
  private func json(at index: Int) -> [(Unicode.Scalar, Int)] {
    guard scalars[index] == "\\", index + 1 < scalars.count else { return [] }
    switch scalars[index + 1] {
    case "\"", "\\", "/", "'": return [(scalars[index + 1], index + 2)]
    case "b": return [("\u{8}", index + 2)]
    case "f": return [("\u{c}", index + 2)]
    case "n": return [("\n", index + 2)]
    case "r": return [("\r", index + 2)]
    case "t": return [("\t", index + 2)]
    case "u":
      guard let high = hexadecimal(index + 2..<index + 6) else { return [] }
      if let scalar = Unicode.Scalar(high) { return [(scalar, index + 6)] }
      guard index + 7 < scalars.count, scalars[index + 6] == "\\", scalars[index + 7] == "u",
        let low = hexadecimal(index + 8..<index + 12), (0xd800..<0xdc00).contains(high),
        (0xdc00..<0xe000).contains(low)
      else { return [] }
      return Unicode.Scalar(0x10000 + (high - 0xd800) << 10 + (low - 0xdc00)).map { [($0, index + 12)] } ?? []
    default: return []
    }
  }

  private static let entities: [(name: [Unicode.Scalar], scalar: Unicode.Scalar)] = [
    ("amp;", "&"), ("lt;", "<"), ("gt;", ">"), ("quot;", "\""), ("apos;", "'"),
  ].map { name, scalar in (Array(name.unicodeScalars), scalar) }

  /// What `&amp;`, `&#38;` or `&#x26;` stands for.
  private func entity(at index: Int) -> (Unicode.Scalar, Int)? {
    let rest = scalars[(index + 1)...]
    if let named = SecretReading.entities.first(where: { rest.starts(with: $0.name) }) {
      return (named.scalar, index + 1 + named.name.count)
    }
    guard rest.first == "#", let end = rest.prefix(12).firstIndex(of: ";") else { return nil }
    let digits = String(String.UnicodeScalarView(rest[(index + 2)..<end]))
    let value = digits.first == "x" ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
    return value.flatMap { Unicode.Scalar($0) }.map { ($0, end + 1) }
  }

  /// Where the text may be cut when what begins at a place with `%`, `\` or `&` is an escape that is cut off.
  private func cut(at index: Int) -> Int {
    scalars[index...].prefix(20).prefix { scalar in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "%", "\\", "&", "#": true
      default: false
      }
    }.endIndex
  }
}
