import Testing

@testable import Backlog

@Suite struct RingIDsTests {
  @Test func framesKeepTheIDThatTheirRunHad() {
    var ids = RingIDs(original: 7)
    #expect(ids[0] == 7 && ids[.max] == 7 && ids.text.isEmpty)
    ids.renew(8, from: 100)
    ids.renew(9, from: 200)
    #expect([99, 100, 199, 200, .max].map { ids[$0] } == [7, 8, 8, 9, 9])
    #expect(ids.all == [7, 8, 9])
    // A renewal that was written and not used yet.
    ids.renew(10, from: 200)
    #expect(ids.all == [7, 8, 10] && ids.text == "100 8\n200 a\n")
    let read = RingIDs(original: 7, text: "x\n" + ids.text + "300\n-1 4\n1 2 3\n300 zz\n")
    #expect(read.text == ids.text && read[200] == 10)
  }

  /// A card that is put back again and again.
  @Test func onlyTheNewestRenewalsAreRemembered() {
    var ids = RingIDs(original: 1)
    for epoch in 1...100 as ClosedRange<UInt64> { ids.renew(epoch << 8, from: epoch) }
    #expect(ids.all.count == 17 && ids[100] == 100 << 8 && ids[84] == 1)
    #expect(ids.text.utf8.count < 4_096)
  }
}
