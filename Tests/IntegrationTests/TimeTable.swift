import Capture
import Foundation
import Frames
import Posix

// What cameras do to times, and what must be true of every record all the same: sorted by presentation time, capture time
// never goes back but where a step is marked; where it is called the camera's, it is within 20 µs of what the camera's clock
// said; and muxers take every record.

/// One row of the table of times.
struct TimeFault: Sendable {
  /// The dialogue of Tests/Fixtures/rtsp, which says what is sent.
  var dialogue: String
  var frames = 110
  /// Nanoseconds from one picture to the next, in the order in which they are shown.
  var interval: Int64 = 33_333_333
  /// How many records may be dated by arrival.
  var arrivalCount: ClosedRange<Int> = 0...0
  /// By how much the camera's clock is set while it is watched, nanoseconds.
  var clockSteps: [Int64] = []
  var reconnects = 0
  /// Decoding times are of interest.
  var isMuxed = false
}

/// How long the last one is watched: `Toolchain/dev test --long times` takes ten minutes.
private let seconds = ProcessInfo.processInfo.environment["CAMGATE_TIMES"].flatMap { Int($0) } ?? 5

let timeTable: [TimeFault] = [
  TimeFault(dialogue: "report-late", arrivalCount: 25...35),
  TimeFault(dialogue: "clock-behind", arrivalCount: 25...35),
  TimeFault(dialogue: "clock-set-back", clockSteps: [-3_000_000_000]),
  TimeFault(dialogue: "b-frames", interval: 40_000_000, isMuxed: true),
  TimeFault(dialogue: "b-frames-no-reports", interval: 40_000_000, arrivalCount: 100...1_000),
  TimeFault(dialogue: "b-frames-report-late", interval: 40_000_000, arrivalCount: 20...30),
  TimeFault(dialogue: "outliers", isMuxed: true),
  TimeFault(dialogue: "b-outliers", interval: 40_000_000, isMuxed: true),
  TimeFault(dialogue: "open-gop", interval: 40_000_000, isMuxed: true),
  TimeFault(dialogue: "open-gop-h265", interval: 40_000_000, isMuxed: true),
  TimeFault(dialogue: "open-gop-breaks", interval: 40_000_000, reconnects: 1, isMuxed: true),
  TimeFault(dialogue: "sets-early", isMuxed: true),
  TimeFault(dialogue: "time-zero", isMuxed: true),
  TimeFault(dialogue: "report-ahead", arrivalCount: 100...1_000),
  TimeFault(dialogue: "wrap-between-reports"),
  TimeFault(dialogue: "drifting", frames: seconds * 25, interval: 40_002_000, isMuxed: true),
]

extension WatchedCamera.Record {
  /// The frames in the order in which they are shown; of the last ones some are still on their way.
  var shown: [Frame] { seen.map(\.frame).sorted { $0.pts < $1.pts }.dropLast(6) }

  /// Where capture time goes back although no step is marked, in the order in which the pictures are shown.
  var disorder: [String] {
    zip(shown, shown.dropFirst()).compactMap { before, after in
      let isMarked = after.isClockStepped || before.isClockStepped || before.clock != after.clock || after.gap != nil
      return before.captureTime < after.captureTime || isMarked
        ? nil : "capture time \(after.captureTime - before.captureTime) ns later at \(after.pts) ns"
    }
  }
}

extension TimeFault {
  /// What is wrong with what a camera delivered whose clock said `clock` when the first frame was taken.
  func complaints(about record: WatchedCamera.Record, clock: Int64) -> [String] {
    var complaints = record.disorder
    let shown = record.shown
    for (before, after) in zip(shown, shown.dropFirst()) where after.gap == nil {
      let step = after.pts - before.pts
      if abs(step - interval) > 20_000 { complaints.append("a step of \(step) ns to \(after.pts) ns") }
    }
    if let first = shown.first, !(-1_000_000_000...10_000_000_000).contains(first.pts) {
      complaints.append("begins at \(first.pts)")
    }
    let arrivalCount = shown.count { $0.clock != .camera }
    if !self.arrivalCount.contains(arrivalCount) { complaints.append("\(arrivalCount) records dated by arrival") }
    let steps = shown.filter { $0.isClockStepped }.count
    if steps != clockSteps.count { complaints.append("\(steps) steps of the clock") }
    if reconnects == 0 { complaints += untrue(record, clock: clock) }
    return complaints
  }

  /// Records that are dated by the camera, and wrong.
  private func untrue(_ record: WatchedCamera.Record, clock: Int64) -> [String] {
    guard let first = record.seen.first?.frame else { return ["no frame"] }
    return record.seen.map(\.frame).filter { $0.clock == .camera }.compactMap { frame in
      let error = frame.captureTime - clock - (frame.pts - first.pts)
      // Until the next report the camera's clock is not known to have been set.
      let isRight = ([0] + clockSteps).contains { abs(error - $0) < 20_000 }
      return isRight ? nil : "dated \(error) ns off at \(frame.pts) ns"
    }
  }
}
