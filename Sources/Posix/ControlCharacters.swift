// What may not reach a terminal or a log as it is: cameras, brokers and disks choose some of the words that are shown.

extension Unicode.Scalar {
  /// Whether it steers what shows a text instead of being shown: control characters (C0, DEL, C1), formatting ones (the
  /// direction of writing, zero-width marks), and line ends other than LF.
  package var isSteering: Bool {
    if value < 0x7f { return value < 0x20 }
    if value < 0xa0 { return true }
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: return true
    default: return false
    }
  }
}

extension String {
  /// The text with each line end as LF, tabs as spaces, and U+FFFD in the place of every other character that steers a
  /// terminal. Bytes that are no UTF-8 have become U+FFFD when the string was made.
  package var withoutSteering: String { String(String.UnicodeScalarView(cleanedScalars)) }

  var cleanedScalars: [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(utf8.count)
    var hasCarriageReturn = false
    for scalar in unicodeScalars {
      if hasCarriageReturn, scalar != "\n" { result.append("\u{fffd}") }
      hasCarriageReturn = scalar == "\r"
      switch scalar {
      case "\r": continue
      case "\n", "\u{85}", "\u{2028}", "\u{2029}": result.append("\n")
      case "\t": result.append(" ")
      case _ where scalar.isSteering: result.append("\u{fffd}")
      default: result.append(scalar)
      }
    }
    if hasCarriageReturn { result.append("\u{fffd}") }
    return result
  }

  /// The text with every line but the first indented: what a stranger wrote must not look like a line of its own.
  package var indentingLines: String {
    split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n    ")
  }
}
