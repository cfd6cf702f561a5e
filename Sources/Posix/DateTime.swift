// Calendar time in UTC without Foundation: days to civil date by Howard Hinnant's algorithm
// ("chrono-Compatible Low-Level Date Algorithms", civil_from_days).

/// A point in time as a calendar date in UTC.
package struct DateTime: Sendable {
  private let seconds: Int64
  private let nanoseconds: Int64

  /// The date of a point given in nanoseconds since 1970.
  package init(nanosecondsSince1970 time: Int64) {
    let (quotient, remainder) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
    (seconds, nanoseconds) = remainder < 0 ? (quotient - 1, remainder + 1_000_000_000) : (quotient, remainder)
  }

  /// RFC 3339 with `fractionDigits` (1...9) digits of the second, e.g. `2026-11-23T19:00:00.123456789Z`.
  package func text(fractionDigits: Int = 9) -> String {
    let (dayCount, secondOfDay) = floorDivide(seconds, 86_400)
    let shifted = dayCount + 719_468  // days since 0000-03-01
    let (era, dayOfEra) = floorDivide(shifted, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let clock = "\(padded(secondOfDay / 3_600, 2)):\(padded(secondOfDay / 60 % 60, 2)):\(padded(secondOfDay % 60, 2))"
    let fraction = padded(nanoseconds, 9).prefix(fractionDigits)
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(clock).\(fraction)Z"
  }
}

/// `number` in decimal with leading zeros up to `width` digits.
package func padded(_ number: some BinaryInteger, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

private func floorDivide(_ number: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
  let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
  return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
}
