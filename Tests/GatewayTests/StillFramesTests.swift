import Frames
import Testing

@testable import Gateway

/// What a picture of a probe is made of.
@Suite struct StillFramesTests {
  /// Frames by letters: K is a whole keyframe, g one that is whole two frames later, ! the same after a gap, p another one.
  private func still(_ letters: String, byteCount: Int = 1) -> StillFrames {
    var still = StillFrames()
    for (index, letter) in letters.enumerated() {
      still.add(
        Frame(
          codec: .h264, payload: Payload([UInt8](repeating: 0, count: byteCount)), isKeyframe: letter != "p",
          recovery: "g!".contains(letter) ? 2 : 0, captureTime: 0, clock: .gateway, pts: Int64(index), width: 1,
          height: 1, gap: letter == "!" ? Gap(frameCount: nil, reason: .network) : nil))
    }
    return still
  }

  @Test(
    arguments: [
      ("", [], false), ("p", [], false), ("K", [0], true), ("Kpp", [0], true), ("KpKp", [2], true),
      ("g", [0], false), ("gp", [0, 1], false), ("gpp", [0, 1, 2], true), ("gpppp", [0, 1, 2], true),
      ("gpgp", [0, 1, 2], true), ("gpK", [2], true), ("Kg", [0], true), ("gp!", [2], false),
      ("gp!pp", [2, 3, 4], true),
    ] as [(String, [Int64], Bool)])
  func wholePictures(_ letters: String, _ used: [Int64], _ isWhole: Bool) {
    let still = still(letters)
    #expect(still.frames.map(\.pts) == used)
    #expect(still.isWhole == isWhole)
  }

  @Test func memoryIsBounded() {
    #expect(still("gpp", byteCount: StillFrames.byteLimit / 2).frames.isEmpty)
  }
}
