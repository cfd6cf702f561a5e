import Frames
import Posix
import Testing

@testable import Capture

private let second: Int64 = 1_000_000_000

@Suite struct CaptureClockTests {
  /// A frame that arrives `boot` nanoseconds after the start of the machine, whose wall clock said `base` then.
  private struct Step {
    var boot: Int64
    var base = WallClock.earliest
    var cameraTime: Int64?
    var isSynchronized = true
    /// Presentation time; nil: the order of the frames.
    var pts: Int64?
  }

  /// What the clock says, times relative to the first good one.
  private func times(_ steps: [Step]) -> [CaptureClock.Time] {
    var clock = CaptureClock()
    return steps.enumerated().map { index, step in
      let arrival = ClockReading(wall: step.base &+ step.boot, boot: step.boot)
      var time = clock.captureTime(
        arrival: arrival, cameraTime: step.cameraTime.map { WallClock.earliest + $0 },
        pts: step.pts ?? Int64(index), isSynchronized: step.isSynchronized)
      time.nanoseconds -= WallClock.earliest
      return time
    }
  }

  @Test func qualities() {
    let found = times([
      Step(boot: 100 * second), Step(boot: 101 * second, isSynchronized: false),
      Step(boot: 102 * second, cameraTime: 101 * second + 5), Step(boot: 103 * second, cameraTime: 108 * second),
      Step(boot: 110 * second, cameraTime: 115 * second + 1),
      Step(boot: 120 * second, cameraTime: 114 * second, isSynchronized: false),
    ])
    let expected: [CaptureClock.Time] = [
      .init(nanoseconds: 100 * second, quality: .gateway), .init(nanoseconds: 101 * second, quality: .unsynced),
      .init(nanoseconds: 101 * second + 5, quality: .camera), .init(nanoseconds: 108 * second, quality: .camera),
      .init(nanoseconds: 110 * second, quality: .gateway), .init(nanoseconds: 120 * second, quality: .unsynced),
    ]
    #expect(found == expected, "the camera's clock counts within 5 s of ours")
  }

  @Test func arrivalNeverGoesBackwards() {
    let found = times([Step(boot: 100), Step(boot: 100), Step(boot: 99), Step(boot: 101), Step(boot: 500)])
    #expect(found.map(\.nanoseconds) == [100, 101, 102, 103, 500])
    #expect(found.allSatisfy { !$0.isStepped })
  }

  /// The change from arrival to the camera's clock steps by the latency, and `quality` says so.
  @Test(arguments: [200_000_000, 4 * second]) func theCamerasTimeIsNeverPinned(_ latency: Int64) {
    let found = times(
      (0..<20).map { index in
        let boot = 100 * second + Int64(index) * 40_000_000
        return Step(boot: boot, cameraTime: index < 5 ? nil : boot - latency)
      })
    let expected: [Int64] = (0..<20).map { 100 * second + $0 * 40_000_000 - ($0 < 5 ? 0 : latency) }
    #expect(found.map(\.nanoseconds) == expected)
    let qualities: [ClockQuality] = (0..<20).map { $0 < 5 ? .gateway : .camera }
    #expect(found.map(\.quality) == qualities)
    #expect(found.allSatisfy { !$0.isStepped })
  }

  @Test func aStepBackOfTheCamerasClockIsMarked() {
    let found = times(
      (0..<20).map { index in
        let boot = 100 * second + Int64(index) * 40_000_000
        return Step(boot: boot, cameraTime: boot - (index < 5 ? 0 : 3 * second))
      })
    let expected: [Int64] = (0..<20).map { 100 * second + $0 * 40_000_000 - ($0 < 5 ? 0 : 3 * second) }
    #expect(found.map(\.nanoseconds) == expected)
    #expect(found.indices.filter { found[$0].isStepped } == [5])
  }

  /// I0 P3 B1 B2 P6 B4 B5, on the camera's clock and by arrival.
  @Test func aPicturesTimeIsItsOwn() {
    let order: [Int64] = [0, 3, 1, 2, 6, 4, 5]
    func play(byCamera: Bool) -> [CaptureClock.Time] {
      times(
        order.enumerated().map { index, shown in
          let start = 100 * second
          return Step(
            boot: start + Int64(index) * 40, cameraTime: byCamera ? start + shown * 40 : nil, pts: shown * 40)
        })
    }
    #expect(play(byCamera: true).map { $0.nanoseconds - 100 * second } == order.map { $0 * 40 })
    #expect(play(byCamera: true).allSatisfy { $0.quality == .camera && !$0.isStepped })
    #expect(play(byCamera: false).map { $0.nanoseconds - 100 * second } == [0, 40, 13, 27, 160, 80, 120])
    #expect(play(byCamera: false).allSatisfy { !$0.isStepped })
  }

  /// The wall clock against the boot clock tells a step, in whichever direction and however long ago the last frame was.
  @Test func aStepOfTheClockIsTakenAndMarked() {
    let day = 86_400 * second
    for step in [-day, day, -second, second, 400_000_000] {
      let base = WallClock.earliest + 10 * day
      let found = times([
        Step(boot: day, base: base), Step(boot: day + second, base: base + step),
        Step(boot: day + 2 * second, base: base + step),
      ])
      #expect(found.map(\.isStepped) == [false, true, false], "\(step)")
      #expect(found.map(\.nanoseconds) == [11 * day, 11 * day + second + step, 11 * day + 2 * second + step])
    }
    let slewed = times([Step(boot: 0), Step(boot: 10 * second, base: WallClock.earliest - 900_000_000)])
    #expect(slewed.map(\.isStepped) == [false, false], "a daemon slews it by a twelfth at most")
  }

  /// A board without a battery starts in 1970, or whenever its image was built.
  @Test func never1970() {
    let found = times([
      Step(boot: 5 * second, base: 0), Step(boot: 6 * second, base: 0),
      Step(boot: 7 * second, base: 0, cameraTime: nil),
      Step(boot: 8 * second),
    ])
    #expect(found.map(\.nanoseconds) == [5 * second, 6 * second, 7 * second, 8 * second])
    #expect(found.map(\.quality) == [.unsynced, .unsynced, .unsynced, .gateway])
    var clock = CaptureClock()
    let time = clock.captureTime(
      arrival: ClockReading(wall: 1_000, boot: 1_000), cameraTime: 2_000, pts: 0, isSynchronized: true)
    #expect(time.quality == .unsynced && time.nanoseconds >= WallClock.earliest, "a camera of 1970 is no help")
  }

  @Test func extremesDoNotTrap() {
    let extremes: [Int64] = [.min, .min + 1, -1, 0, 1, WallClock.earliest, .max - 1, .max]
    for wall in extremes {
      for boot in extremes {
        for cameraTime in extremes {
          var clock = CaptureClock()
          for (pts, arrival) in [
            (wall, ClockReading(wall: wall, boot: boot)), (boot, ClockReading(wall: boot, boot: wall)),
            (cameraTime, ClockReading(wall: wall, boot: wall)),
          ] {
            let time = clock.captureTime(
              arrival: arrival, cameraTime: cameraTime, pts: pts, isSynchronized: true)
            #expect(time.nanoseconds >= WallClock.earliest)
          }
        }
      }
    }
  }
}
