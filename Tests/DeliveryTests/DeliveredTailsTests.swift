import Frames
import Posix
import Testing

@testable import Backlog
@testable import Delivery

@Suite struct DeliveredTailsTests {
  private let identity = GatewayIdentity(gateway: "g", ringID: 1, epoch: 9)

  private func entry(_ sequence: UInt64, epoch: UInt64?, lane: Int = 0) -> Entry {
    Entry(
      lane: Lane(index: lane), sequence: sequence, epoch: epoch, frame: testFrame(Payload([1])), arrivalOrder: sequence)
  }

  @Test func whatWasFoundIsSkippedOnceAndWhatIsBehindItIsSent() {
    var tails = DeliveredTails()
    tails.doubt(0)
    tails.doubt(1)
    #expect(tails.isDoubtful(0))
    let places = Dictionary(
      uniqueKeysWithValues: [(8, 5), (8, 7), (9, 1)].map { epoch, sequence in
        (SentFrame(epoch: epoch, sequence: sequence), RecordPosition(partition: 2, offset: Int64(sequence * 10)))
      })
    tails.know(0, places)
    #expect(tails.doubtful == [1])
    #expect(tails.position(of: entry(5, epoch: 8), in: identity)?.offset == 50)
    #expect(tails.position(of: entry(6, epoch: 8), in: identity) == nil)
    #expect(tails.position(of: entry(7, epoch: 8), in: identity)?.offset == 70)
    // Another lane's frame of that number is another frame.
    #expect(tails.position(of: entry(1, epoch: nil, lane: 1), in: identity) == nil)
    // The present run's epoch is not written into its entries.
    #expect(tails.position(of: entry(1, epoch: nil), in: identity)?.offset == 10)
    // That was the last: nothing is remembered for ever.
    #expect(tails.position(of: entry(1, epoch: nil), in: identity) == nil)
  }

  @Test func nothingFoundIsNothingSkipped() {
    var tails = DeliveredTails()
    tails.doubt(0)
    tails.know(0, [:])
    #expect(tails.doubtful.isEmpty)
    #expect(tails.position(of: entry(1, epoch: 8), in: identity) == nil)
  }
}
