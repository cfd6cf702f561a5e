import Frames
import Posix
import Testing

@testable import Capture

@Suite struct CurrentStateTests {
  private let refused = CaptureError(.unauthorized, "401 Unauthorized")

  @Test func oneLineAChange() {
    let lines = Monitor<[String]>([])
    let current = CurrentState(log: Log(level: .debug) { line in lines.withLock { $0.append(line) } })
    #expect(current.state == .connecting)
    current.become(.connecting)
    current.become(.connecting)
    current.stall(since: .now())
    for _ in 0..<3 { current.become(.streaming(.h264, width: 640, height: 480)) }
    current.stall(since: .now() + .seconds(-5))
    guard case .stalled = current.state else {
      Issue.record("\(current.state)")
      return
    }
    current.stall(since: .now())
    current.become(.streaming(.h264, width: 640, height: 480))
    current.become(.waiting(refused, until: .now() + .seconds(2)))
    current.become(.connecting)
    current.become(.waiting(refused, until: .now() + .seconds(4)), isRepeated: true)
    current.become(.finished(CaptureError(.stopped, "stopped")), isRepeated: true)
    let found = lines.read { $0 }.map { line in
      line.split(separator: " ").dropFirst().joined(separator: " ")
    }
    let expected = [
      "debug connecting", "info streaming h264 640x480", "warning no frame for 5.", "info streaming h264 640x480",
      "warning 401 Unauthorized; retry in", "debug connecting", "debug 401 Unauthorized; retry in",
    ]
    #expect(found.count == expected.count)
    for (line, beginning) in zip(found, expected) { #expect(line.hasPrefix(beginning)) }
  }

  /// A camera that has another size at each keyframe is one camera, not a full disk.
  @Test func aCameraThatAlternatesItsSize() {
    let lines = Monitor<[String]>([])
    let current = CurrentState(
      log: Log { line in lines.withLock { $0.append(line) } }.about("camera gate"))
    for round in 0..<20_000 { current.become(.streaming(.h264, width: round % 2 == 0 ? 640 : 320, height: 240)) }
    let found = lines.read { $0 }
    #expect(found.count < 1_000)
    #expect(found.first?.hasSuffix("info camera gate: streaming h264 640x240") == true)
  }

  @Test func summaries() {
    let now = MonotonicTime(nanoseconds: 100_000_000_000)
    let states: [(Camera.State, String)] = [
      (.connecting, "connecting"), (.streaming(.h265, width: 1_920, height: 1_080), "streaming h265 1920x1080"),
      (.stalled(since: now + .seconds(-3)), "stalled for 3 s"), (.stalled(since: now + .seconds(9)), "stalled for 0 s"),
      (.waiting(refused, until: now + .milliseconds(11_200)), "waiting 12 s: 401 Unauthorized"),
      (.waiting(refused, until: now + .seconds(-1)), "waiting 0 s: 401 Unauthorized"),
      (.finished(refused), "401 Unauthorized"),
    ]
    for (state, text) in states { #expect(state.summary(now: now) == text) }
  }
}
