import Frames
import Posix
import Records
import Testing

@testable import Backlog
@testable import Delivery

@Suite struct DeliveredTailsTests {
  private let identity = GatewayIdentity(gateway: "g", ringID: 1, epoch: 9)

  private func entry(_ sequence: UInt64, epoch: UInt64?, lane: Int = 0) -> Entry {
    Entry(
      lane: Lane(index: lane), sequence: sequence, epoch: epoch, frame: testFrame(Payload([1])), arrivalOrder: sequence)
  }

  private func id(_ epoch: UInt64, _ sequence: UInt64) -> FrameID {
    FrameID(ringID: "0000000000000001", epoch: epoch, sequence: sequence)
  }

  private func delivered(_ bytes: [UInt8], _ offset: Int64) -> DeliveredFrame {
    DeliveredFrame(
      fingerprint: bytes.withUnsafeBytes { FrameFingerprint($0) },
      position: RecordPosition(partition: 2, offset: offset))
  }

  /// Others may write under our ids: of the same length, of another, before and after the frame itself.
  @Test func onlyTheFrameItselfCounts() {
    var tails = DeliveredTails()
    tails.know(
      0,
      [
        id(8, 1): [delivered([2], 10)],
        id(8, 2): [delivered([1, 1], 20)],
        id(8, 3): [delivered([], 30), delivered([1], 31), delivered([3], 32)],
        id(8, 9): [],
      ])
    #expect(tails.position(of: entry(1, epoch: 8), in: identity) == nil)
    #expect(tails.position(of: entry(2, epoch: 8), in: identity) == nil)
    #expect(tails.position(of: entry(3, epoch: 8), in: identity)?.offset == 31)
    // What the disk remembers of the frame that was captured counts, not what can be computed from what it gives back.
    var stored = entry(3, epoch: 8)
    stored.frame.payloadChecksum = FrameFingerprint(testFrame(Payload([3]))).checksum
    #expect(tails.position(of: stored, in: identity)?.offset == 32)
  }

  @Test func whatWasFoundIsSkippedOnceAndWhatIsBehindItIsSent() {
    var tails = DeliveredTails()
    tails.doubt(0)
    tails.doubt(1)
    #expect(tails.isDoubtful(0))
    let places = Dictionary(
      uniqueKeysWithValues: [(8, 5), (8, 7), (9, 1)].map { epoch, sequence in
        (id(epoch, sequence), [delivered([1], Int64(sequence * 10))])
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
