import Broker
import Frames
import Posix
import Testing

@testable import Backlog
@testable import Delivery

/// Frames and the records they were sent as.
@Suite struct InFlightTests {
  private let entry = Entry(lane: Lane(index: 0), sequence: 7, frame: testFrame(Payload([])), arrivalOrder: 0)

  private func error(_ disposition: BrokerError.Disposition) -> BrokerError {
    BrokerError(name: "\(disposition)", message: "", disposition: disposition)
  }

  @Test func aFrameIsFinishedWithItsLastRecord() {
    var inFlight = InFlight()
    let frame = inFlight.begin(entry, recordCount: 2)
    let records = [inFlight.send(10, of: frame, now: .now()), inFlight.send(20, of: frame, now: .now())]
    #expect(inFlight.byteCount(of: records[1]) == 20)
    #expect(inFlight.reported(records[1], nil) == nil)
    #expect(inFlight.reported(records[1], nil) == nil, "reported twice")
    #expect(inFlight.frameCount == 1)
    let report = inFlight.reported(records[0], nil)
    #expect(report?.entry.sequence == 7)
    #expect(report?.error == nil)
    #expect(inFlight.isEmpty)
  }

  @Test func whatWasNotSentIsWaitedForNoMore() {
    var inFlight = InFlight()
    let frame = inFlight.begin(entry, recordCount: 5)
    let record = inFlight.send(10, of: frame, now: .now())
    #expect(inFlight.abandon(4, of: frame, error(.recreate)) == nil)
    let report = inFlight.reported(record, nil)
    #expect(report?.error?.disposition == .recreate)
    #expect(inFlight.isEmpty)
  }

  static let rows: [([BrokerError.Disposition], BrokerError.Disposition)] = [
    ([.recreate, .poison, .recreate], .poison), ([.recreate, .hold], .hold), ([.resend, .recreate], .resend),
  ]

  /// A part that can never be accepted decides, whatever became of the others because of it.
  @Test(arguments: rows)
  func theMostTellingErrorIsTheFrames(_ errors: [BrokerError.Disposition], _ expected: BrokerError.Disposition) {
    for order in [errors, errors.reversed()] {
      var inFlight = InFlight()
      let frame = inFlight.begin(entry, recordCount: errors.count)
      let records = errors.map { _ in inFlight.send(1, of: frame, now: .now()) }
      let reports = zip(records, order).map { inFlight.reported($0, error($1)) }
      #expect(reports.last??.error?.disposition == expected)
    }
  }
}
