import Frames
import Posix
import Testing

@testable import Capture

private let ms: Int64 = 1_000_000
private let second: Int64 = 1_000_000_000

/// Ten minutes of a camera with B-frames, sender reports every five seconds, a clock that runs away from ours, a network
/// that delays, and one wrong RTP time a minute, as FFmpeg hands them over.
@Suite struct TimesOfTenMinutesTests {
  /// A picture as it was taken: what the camera's clock said, nanoseconds since 1970.
  private struct Taken {
    var truth: Int64
    var time: CaptureClock.Time
    var pts: Int64
    var dts: Int64?
  }

  /// `drift` is what the camera's clock gains, parts per million.
  private func play(drift: Int64, isReordered: Bool) -> [Taken] {
    let shown = PresentationTimesTests.truth(10 * 60 * 25, isReordered: isReordered)
    var generator = SeededGenerator(seed: 600)
    let start = WallClock.earliest + 1_000 * second
    var (report, isReported) = ((ticks: Int64(0), ntp: Int64(0)), false)
    // RTP times in ticks of 90 kHz, of which one a minute is 4 s late or 20 s early; all that FFmpeg says, it says in them.
    let ticks = shown.map { ($0 * 90_000 + second / 2) / second }
    let sent = ticks.enumerated().map { $1 + ($0 % 1_500 == 700 ? ($0 % 3_000 == 700 ? 360_000 : -1_800_000) : 0) }
    func nanoseconds(_ ticks: Int64) -> Int64 { (ticks * 100_000 + 4) / 9 }
    var pictures = PictureInformation(width: 64, height: 48)
    pictures.reorderDepth = isReordered ? 1 : 0
    var (media, line, clock) = (MediaClock(), MediaTimeline(), CaptureClock())
    media.follow(pictures)
    return shown.indices.map { index in
      let truth = start + shown[index]
      if index % 125 == 60 { (report, isReported) = ((ticks[index], truth), true) }
      // In microseconds (AVProducerReferenceTime.wallclock).
      let reference = (report.ntp / 1_000 + nanoseconds(sent[index] - report.ticks) / 1_000) * 1_000
      let offset = isReported ? reference - nanoseconds(sent[index]) : nil
      let real = Int64(index) * 40 * ms
      let latency = 120 * ms + Int64.random(in: 0...30, using: &generator) * ms
      let boot = 50 * second + real - real * drift / 1_000_000 + latency
      let arrival = ClockReading(wall: start + boot - 50 * second, boot: boot)
      let own = media.times(
        pts: nanoseconds(sent[index]), following: index + 1 < sent.count ? nanoseconds(sent[index + 1]) : nil,
        arrival: boot)
      let placed = line.place(pts: own.pts, dts: own.dts, arrival: boot, isRestarted: own.isBeginning)
      let time = clock.captureTime(
        arrival: arrival, cameraTime: own.isExact ? offset.map { own.pts + $0 } : nil, pts: placed.pts,
        isSynchronized: true)
      return Taken(truth: truth, time: time, pts: placed.pts, dts: placed.dts)
    }
  }

  @Test(arguments: [(-50, false), (50, true)]) func everyTimeIsRight(_ drift: Int64, _ isReordered: Bool) {
    let taken = play(drift: drift, isReordered: isReordered)
    let dated = taken.filter { $0.time.quality == .camera }
    #expect(dated.count == taken.count - 60)
    let worst = dated.map { abs($0.time.nanoseconds - $0.truth) }.max() ?? .max
    #expect(worst < 20_000, "a frame is dated \(worst) ns off")
    let sorted = taken.sorted { $0.pts < $1.pts }
    let disorder = zip(sorted, sorted.dropFirst()).filter { before, after in
      before.time.nanoseconds >= after.time.nanoseconds && before.time.quality == after.time.quality
    }
    #expect(disorder.isEmpty && taken.allSatisfy { !$0.time.isStepped })
    #expect(zip(sorted, sorted.dropFirst()).allSatisfy { abs($1.pts - $0.pts - 40 * ms) < 20_000 })
    let decoded = taken.compactMap(\.dts)
    #expect(decoded.count == taken.count && zip(decoded, decoded.dropFirst()).allSatisfy { $0 < $1 })
  }
}
