import Frames
import Testing

@testable import Gateway

/// Which cameras a new settings file touches.
@Suite struct CameraFleetTests {
  private func camera(_ name: String, fps: Int = 15, topic: String = "t") throws -> GatewayPlan.CameraPlan {
    GatewayPlan.CameraPlan(
      description: CameraDescription(
        name: try #require(CameraName(name)), source: .test(width: 320, height: 240, fps: fps)), topic: topic)
  }

  @Test func nothingIsTouchedWithoutReason() throws {
    let cameras = [try camera("a"), try camera("b")]
    let changes = CameraChanges(from: cameras, to: Array(cameras.reversed()))
    #expect(changes.isEmpty && changes.unchanged.count == 2)
    #expect(changes.summary == "2 not touched")
  }

  @Test func eachKindOfChange() throws {
    let old = [try camera("a"), try camera("b"), try camera("c"), try camera("d")]
    let new = [try camera("e"), try camera("d", topic: "other"), try camera("a"), try camera("c", fps: 5)]
    let changes = CameraChanges(from: old, to: new)
    #expect(changes.added.map(\.text) == ["e"])
    #expect(changes.changed.map(\.text) == ["d", "c"])
    #expect(changes.removed.map(\.text) == ["b"])
    #expect(changes.summary == "added e; changed d, c; removed b; 1 not touched")
  }
}
