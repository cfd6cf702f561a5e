import Broker
import Frames
import Posix
import Records
import Testing

@testable import Backlog
@testable import Delivery

/// What is under way to Kafka stays in memory, whatever the link could carry of it.
@Suite struct MemoryUnderWayTests {
  /// Small frames weigh in memory more than on the link; the window is a share of the memory.
  @Test(arguments: [100, 1_750, 40_000])
  func isNoMoreThanTheWindow(payloadByteCount: Int) {
    let largest = 64 << 10
    var state = Forwarder.State(
      lanes: [LaneDescription(camera: CameraName("c")!, topic: "t")],
      encoder: RecordEncoder(identity: GatewayIdentity(gateway: "g", ringID: 1, epoch: 1), lanes: []),
      security: Security(),
      window: SendWindow(largest: largest, timeout: .seconds(60)), recordLimit: 1 << 20)
    let payload = Payload([UInt8](repeating: 0, count: payloadByteCount))
    var held = 0
    for sequence: UInt64 in 1...1_000 {
      let entry = Entry(lane: Lane(index: 0), sequence: sequence, frame: testFrame(payload), arrivalOrder: sequence)
      let byteCount = payloadByteCount + FrameHeaders.overhead
      guard state.hasRoom(for: byteCount) else { break }
      state.window.sent(byteCount, now: .now())
      _ = state.inFlight.send(byteCount, of: state.inFlight.begin(entry, recordCount: 1), now: .now())
      held += entry.byteCount
    }
    #expect(held > largest / 2 && held <= largest + payloadByteCount + Entry.overhead)
  }
}
