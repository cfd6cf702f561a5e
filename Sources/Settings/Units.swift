// Sizes and durations as people write them.

enum Units {
  static let sizeUnits: [(name: String, factor: Int)] = [
    ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
    ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("B", 1),
  ]

  static let durationUnits: [(name: String, milliseconds: Int)] = [
    ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000),
  ]

  static let rateUnits: [(name: String, factor: Int)] = [
    ("bit/s", 1), ("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000),
  ]

  /// Bytes; nil when `text` is no size.
  static func size(_ text: String) -> Int? { value(text, units: sizeUnits.map { ($0.name, $0.factor) }) }

  /// A duration; nil when `text` is none.
  static func duration(_ text: String) -> Duration? {
    value(text, units: durationUnits.map { ($0.name, $0.milliseconds) }).map { .milliseconds($0) }
  }

  /// Bits a second; nil when `text` is no rate.
  static func rate(_ text: String) -> Int? {
    value(text, units: rateUnits.map { ($0.name, $0.factor) }).flatMap { $0 > 0 ? $0 : nil }
  }

  /// A rate in the largest unit that divides it.
  static func text(rate bitsPerSecond: Int) -> String {
    let unit = rateUnits.last { bitsPerSecond % $0.factor == 0 } ?? rateUnits[0]
    return "\(bitsPerSecond / unit.factor)\(unit.name)"
  }

  /// `bytes` in the largest binary unit that divides it.
  static func text(size bytes: Int) -> String {
    let unit = sizeUnits.prefix(4).last { bytes > 0 && bytes % $0.factor == 0 }
    return unit.map { "\(bytes / $0.factor)\($0.name)" } ?? "\(bytes)B"
  }

  /// `duration` in the largest unit that divides it.
  static func text(duration: Duration) -> String {
    let milliseconds = Int(duration / .milliseconds(1))
    let unit = durationUnits.last { milliseconds > 0 && milliseconds % $0.milliseconds == 0 }
    return unit.map { "\(milliseconds / $0.milliseconds)\($0.name)" } ?? "\(milliseconds)ms"
  }

  private static func value(_ text: String, units: [(String, Int)]) -> Int? {
    let digits = text.prefix { ("0"..."9").contains($0) }
    let unit = text.dropFirst(digits.count).drop { $0 == " " }
    guard let number = Int(digits), let factor = units.first(where: { $0.0 == unit })?.1 else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow ? nil : product
  }
}
