import Testing

@testable import Records

/// What names a frame, as text.
@Suite struct FrameIDTests {
  @Test(arguments: [
    "", "-", "--", "a-1", "a-1-2-3", "a-x-1", "a-1-x", "a--1", "a-1-", "a-1-99999999999999999999", "a-1--2",
  ])
  func malformedIDsAreRefused(_ text: String) {
    #expect(FrameID(text) == nil)
  }

  @Test func theIDOfAPartIsThatOfItsFrame() {
    #expect(FrameID("9f2c4a117be00d35-1795451000-48213.2") == FrameID("9f2c4a117be00d35-1795451000-48213"))
    #expect(FrameID("a-1-18446744073709551615")?.text == "a-1-18446744073709551615")
  }
}
