import Broker
import Frames
import Posix
import Testing

@testable import Backlog
@testable import Delivery

/// Brokers that are connected and do not answer.
@Suite struct SilenceTests {
  private let entry = Entry(lane: Lane(index: 0), sequence: 1, frame: testFrame(Payload([])), arrivalOrder: 0)

  private func state() -> Forwarder.State {
    Forwarder.State(
      lanes: [LaneDescription(camera: CameraName("c")!, topic: "t")],
      encoder: RecordEncoder(identity: GatewayIdentity(gateway: "g", ringID: 1, epoch: 1), lanes: []),
      security: Security(),
      window: SendWindow(largest: 1 << 20, timeout: .seconds(60)), recordLimit: 1 << 20)
  }

  private func at(_ second: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: second * 1_000_000_000) }

  /// The seconds at which it is said, when the state is asked at all of these.
  private func alarms(of state: inout Forwarder.State, asked seconds: some Sequence<Int64>) -> [Int64] {
    var alarms: [Int64] = []
    for second in seconds where state.isSilentForLong(now: at(second)) { alarms.append(second) }
    return alarms
  }

  @Test func isSaidOnce() {
    var state = state()
    _ = state.inFlight.send(10, of: state.inFlight.begin(entry, recordCount: 1), now: .now())
    #expect(alarms(of: &state, asked: 0...100) == [20])
    #expect(state.status.trouble?.since == at(0))
  }

  @Test func isNoneWhileReportsCome() {
    var state = state()
    let frame = state.inFlight.begin(entry, recordCount: 3)
    let records = (0..<3).map { _ in state.inFlight.send(10, of: frame, now: .now()) }
    #expect(alarms(of: &state, asked: 0...18) == [])
    _ = state.take(DeliveryReport(id: records[0], error: nil), now: at(19))
    #expect(alarms(of: &state, asked: 21...60) == [41])
  }

  @Test func isNoneWhenNothingIsUnderWay() {
    var state = state()
    #expect(alarms(of: &state, asked: 0...100) == [])
  }
}
