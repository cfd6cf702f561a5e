import Frames
import Posix
import Testing

@testable import Capture

@Suite struct TransportChoiceTests {
  private func time(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }
  private let silence = CaptureError(.silent, "")

  @Test func whatIsSetStands() {
    for setting in [CameraDescription.RTSPTransport.tcp, .udp] {
      var choice = TransportChoice(setting)
      for second: Int64 in 0..<10 {
        #expect(choice.next(now: time(second)) == setting)
        #expect(choice.lost(now: time(second)) == nil)
        #expect(choice.failed(silence, now: time(second)) == nil)
      }
    }
  }

  @Test func lossesEndUDP() {
    var choice = TransportChoice(.auto)
    #expect(choice.next(now: time(0)) == .udp)
    #expect(choice.lost(now: time(1)) == nil)
    #expect(choice.lost(now: time(2)) == nil)
    #expect(choice.lost(now: time(602)) == nil, "what was ten minutes ago is forgotten")
    #expect(choice.lost(now: time(603)) == nil)
    #expect(choice.lost(now: time(604)) != nil)
    #expect(choice.lost(now: time(605)) == nil, "said once")
    #expect(choice.next(now: time(606)) == .tcp)
    #expect(choice.next(now: time(604 + 24 * 3_600)) == .udp, "a day later it is worth another look")
  }

  @Test func onlyUDPThatNeverBroughtAFrameIsBlamed() {
    let cases: [(CaptureError.Code, Bool)] = [
      (.silent, true), (.unusable, true), (.unreachable, false), (.disconnected, false), (.unauthorized, false),
      (.notFound, false), (.ended, false), (.stopped, false),
    ]
    for (code, isBlamed) in cases {
      var choice = TransportChoice(.auto)
      _ = choice.next(now: time(0))
      #expect((choice.failed(CaptureError(code, ""), now: time(1)) != nil) == isBlamed)
      #expect(choice.next(now: time(2)) == (isBlamed ? .tcp : .udp))
      choice = TransportChoice(.auto)
      _ = choice.next(now: time(0))
      choice.received()
      #expect(choice.failed(CaptureError(code, ""), now: time(1)) == nil, "frames came, so UDP is not to blame")
      #expect(choice.next(now: time(2)) == .udp)
    }
  }
}
