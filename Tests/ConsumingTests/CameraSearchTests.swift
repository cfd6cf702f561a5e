import Posix
import Testing

@testable import Consuming

/// `--camera` with a name that no frame has: said, with the names there are, and not again and again.
@Suite struct CameraSearchTests {
  let start = MonotonicTime.now()

  private func after(_ seconds: Int64) -> MonotonicTime { start + .seconds(seconds) }

  @Test func anotherCamerasFramesAreNamedAfterAWhile() {
    var search = CameraSearch(for: "nosuch", now: start)
    let yard = search.wants(camera: "yard", source: "/dock-7/yard", now: after(1))
    let gate = search.wants(camera: "gate", source: "/dock-7/gate", now: after(2))
    #expect(!yard && !gate)
    #expect(search.line(now: after(5)) == nil)
    let text = "no frame of camera 'nosuch' so far; there are frames of dock-7/gate, dock-7/yard"
    #expect(search.line(now: after(6)) == text)
    #expect(search.line(now: after(65)) == nil)
    #expect(search.line(now: after(66)) == text)
  }

  @Test(arguments: ["gate", "dock-7/gate"])
  func aCameraThatIsThereIsNotTalkedAbout(_ name: String) {
    var search = CameraSearch(for: name, now: start)
    let yard = search.wants(camera: "yard", source: "/dock-7/yard", now: start)
    let gate = search.wants(camera: "gate", source: "/dock-7/gate", now: start)
    #expect(!yard && gate)
    #expect(search.line(now: after(600)) == nil)
  }

  @Test func silenceIsSaid() {
    var search = CameraSearch(for: "gate", now: start)
    #expect(search.line(now: after(14)) == nil)
    #expect(
      search.line(now: after(15)) == "no frame of any camera so far; --from beginning reads what is there already")
  }

  @Test func namesAreBounded() {
    var search = CameraSearch(for: "nosuch", now: start)
    for number in 0..<1_000 { _ = search.wants(camera: "c\(number)", source: "/g/c\(number)", now: start) }
    let line = search.line(now: after(6)) ?? ""
    #expect(line.hasSuffix(" and others") && line.count < 300)
  }
}
