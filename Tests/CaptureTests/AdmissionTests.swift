import Frames
import Testing

@testable import Capture

@Suite struct AdmissionTests {
  private static let second: Int64 = 1_000_000_000

  private static func limits(bitrate: Int = 8_000_000, fps: Int = 50, frame: Int = 1 << 20) -> CameraDescription.Limits
  {
    var limits = CameraDescription.Limits()
    (limits.bitrate, limits.fps, limits.frame) = (bitrate, fps, frame)
    return limits
  }

  /// How many of `perSecond` frames a second, of so many bytes each, come in over a minute.
  private func count(_ limits: CameraDescription.Limits, perSecond: Int, bytes: Int) -> Int {
    var admission = Admission(limits)
    return (0..<perSecond * 60).count { index in
      let isIn = admission.refusal(byteCount: bytes, at: Int64(index) * Self.second / Int64(perSecond)) == nil
      if isIn { admission.took(byteCount: bytes) }
      return isIn
    }
  }

  @Test func aCameraWithinItsLimitsLosesNothing() {
    #expect(count(Self.limits(), perSecond: 50, bytes: 20_000) == 3_000)
    #expect(count(CameraDescription.Limits(), perSecond: 240, bytes: 50_000) == 14_400)
  }

  /// Ten seconds' worth, and then the rate.
  @Test func oneBeyondThemHasItsShare() {
    #expect((3_490...3_510).contains(count(Self.limits(), perSecond: 15_000, bytes: 20)))
    #expect((690...720).contains(count(Self.limits(), perSecond: 40, bytes: 100_000)))
  }

  /// What a camera kept while nobody read comes in whole.
  @Test func aBurstComesIn() {
    var admission = Admission(Self.limits())
    for _ in 0..<450 {
      #expect(admission.refusal(byteCount: 20_000, at: 0) == nil)
      admission.took(byteCount: 20_000)
    }
  }

  @Test func eachLimitHasItsName() {
    var admission = Admission(Self.limits())
    #expect(admission.refusal(byteCount: (1 << 20) + 1, at: 0) == .frame)
    for _ in 0..<10 { admission.took(byteCount: 1 << 20) }
    #expect(admission.refusal(byteCount: 1, at: 0) == .bitrate)
    // Clocks that go back take nothing away.
    #expect(admission.refusal(byteCount: 1, at: .min) == .bitrate)
    #expect(admission.refusal(byteCount: 1, at: .max) == nil)
    for _ in 0..<500 { admission.took(byteCount: 1) }
    #expect(admission.refusal(byteCount: 1, at: .max) == .fps)
    #expect(["bitrate", "fps", "frame"].allSatisfy { Admission.Limit(rawValue: $0) != nil })
  }
}
