import Frames
import Testing

@testable import Capture

/// Each silence has its own words.
@Suite struct SilenceTests {
  private func silence(
    media: Int64 = 0, reports: Int64 = 0, foreign: Int64 = 0, size: String? = nil,
    _ transport: CameraDescription.RTSPTransport = .tcp
  ) -> String {
    var silence = Silence()
    (silence.codec, silence.announcedSize, silence.transport) = (.h264, size, transport)
    silence.arrivals = Arrivals(media: media, reports: reports, foreign: foreign)
    return silence.message(waited: .seconds(30), lastWords: nil)
  }

  @Test func whatCameIsSaid() {
    let end = " for 30 s (timeouts.first_frame)"
    #expect(silence() == "no byte came" + end)
    #expect(silence(.udp) == "no packet came over UDP (a firewall? try transport: tcp)" + end)
    #expect(silence(reports: 3) == "only reports (RTCP) come, no picture" + end)
    #expect(silence(reports: 3, foreign: 1).hasPrefix("packets come, but none of the picture's track"))
    #expect(silence(media: 1, reports: 3, foreign: 1) == "packets come, but no whole picture (h264)" + end)
    #expect(silence(media: 1, size: "640x360") == "packets come, but no whole picture (h264 640x360)" + end)
  }

  /// Where packets are not counted, no more is said than is known.
  @Test func withoutCountsLessIsSaid() {
    var silence = Silence()
    silence.codec = .h264
    let message = silence.message(waited: .seconds(30), lastWords: "x")
    #expect(message == "no picture for 30 s (timeouts.first_frame); FFmpeg says: x")
  }
}
