import Glibc
import Posix
import Testing

@Suite struct DateTimeTests {
  @Test(arguments: [
    (Int64(0), "1970-01-01T00:00:00.000000000Z"),
    (-1, "1969-12-31T23:59:59.999999999Z"),
    (-1_000_000_000, "1969-12-31T23:59:59.000000000Z"),
    (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),  // a leap year, although divisible by 100
    (1_709_251_199_999_999_999, "2024-02-29T23:59:59.999999999Z"),
    (1_709_251_200_000_000_000, "2024-03-01T00:00:00.000000000Z"),
    (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),  // no leap year: a day before is February 28th
    (4_107_542_399_000_000_000, "2100-02-28T23:59:59.000000000Z"),
    (.max, "2262-04-11T23:47:16.854775807Z"),
    (.min, "1677-09-21T00:12:43.145224192Z"),
  ])
  func knownInstants(_ time: Int64, _ expected: String) {
    #expect(DateTime(nanosecondsSince1970: time).text() == expected)
  }

  @Test(arguments: [(9, "123456789"), (6, "123456"), (3, "123"), (1, "1")])
  func fractionsAreCutNotRounded(_ digits: Int, _ fraction: String) {
    let time = DateTime(nanosecondsSince1970: 1_795_460_400_123_456_789)
    #expect(time.text(fractionDigits: digits) == "2026-11-23T19:00:00.\(fraction)Z")
  }

  /// Every 11 days and a bit through all 585 years, against glibc's gmtime_r(3).
  @Test func agreesWithTheCLibrary() {
    for seconds in stride(from: Int64.min / 1_000_000_000, to: Int64.max / 1_000_000_000, by: 1_000_003) {
      var time = time_t(seconds)
      var parts = tm()
      gmtime_r(&time, &parts)
      let expected =
        "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))T"
        + "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2)).0Z"
      let text = DateTime(nanosecondsSince1970: seconds * 1_000_000_000).text(fractionDigits: 1)
      if text != expected {
        Issue.record("\(seconds) s is \(expected), not \(text)")
        return
      }
    }
  }

  @Test(arguments: [(0, 1, "0"), (7, 3, "007"), (1234, 2, "1234"), (42, 0, "42")])
  func padding(_ number: Int, _ width: Int, _ expected: String) {
    #expect(padded(number, width) == expected)
  }
}
