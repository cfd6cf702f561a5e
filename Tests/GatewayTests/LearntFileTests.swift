import Capture
import Frames
import Testing

@testable import Gateway

/// What is learnt about cameras, written down and read again.
@Suite struct LearntFileTests {
  private func camera(
    _ url: String = "rtsp://10.0.0.21/a", user: String = "viewer", password: String = "one"
  ) -> CameraDescription {
    let login = CameraDescription.Login(username: user, password: password)
    return CameraDescription(name: CameraName("yard")!, source: .rtsp(url: url, login: login, transport: .tcp))
  }

  private var learnt: Learnt {
    var learnt = Learnt()
    (learnt.patience, learnt.hasLoginWorked) = (.seconds(40), true)
    return learnt
  }

  private func file(knowing cameras: [CameraDescription]) -> LearntFile {
    var file = LearntFile(text: "")
    for camera in cameras { file.keep(learnt, of: camera) }
    return file
  }

  @Test func whatIsWrittenIsRead() {
    let camera = camera()
    let read = LearntFile(text: file(knowing: [camera]).text)
    #expect(!read.isDamaged)
    #expect(read.known(of: camera) == learnt)
    #expect(read.text == LearntFile(text: read.text).text)
  }

  @Test func anotherPlaceOrUserIsAnotherCamera() {
    let file = file(knowing: [camera()])
    #expect(file.known(of: camera("rtsp://10.0.0.22/a")) == Learnt())
    #expect(file.known(of: camera("rtsp://10.0.0.21/b")) == Learnt())
    #expect(file.known(of: camera(user: "admin")) == Learnt())
  }

  /// How slow a camera is has nothing to do with its password. Few passwords in 65,536 have the same two bytes.
  @Test func anotherPasswordHasNotWorked() {
    let file = file(knowing: [camera()])
    let others = (0..<100).map { file.known(of: camera(password: "other \($0)")) }
    #expect(others.allSatisfy { $0.patience == .seconds(40) })
    #expect(others.count { $0.hasLoginWorked } <= 2)
  }

  /// Neither the login nor where the camera is stands there.
  @Test func nothingIsToldToWhoReadsIt() {
    let text = file(knowing: [camera("rtsp://10.0.0.21/a", user: "hunter", password: "hunter2")]).text
    for word in ["hunter", "10.0.0.21", "yard"] { #expect(!text.contains(word)) }
  }

  /// Any byte changed, and any end missing: nothing is known, and that is no error.
  @Test func damageIsNothing() {
    let camera = camera()
    let bytes = Array(file(knowing: [camera]).text.utf8)
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 1
      let file = LearntFile(text: String(decoding: damaged, as: UTF8.self))
      #expect(file.isDamaged && file.known(of: camera) == Learnt(), "byte \(index)")
      let torn = LearntFile(text: String(decoding: bytes[..<index], as: UTF8.self))
      #expect((torn.isDamaged || index == 0) && torn.known(of: camera) == Learnt(), "\(index) bytes")
    }
  }

  /// A thousand cameras are remembered at most, and a file of them can be read again (64 KiB).
  @Test func itIsBounded() {
    let cameras = (0..<1_500).map { camera("rtsp://10.0.0.21/\($0)") }
    var file = file(knowing: cameras)
    #expect(file.text.utf8.count < 65_536)
    let read = LearntFile(text: file.text)
    #expect(!read.isDamaged && cameras.count { read.known(of: $0) == learnt } == LearntFile.entryLimit)
    file.forget(allBut: Array(cameras[..<2]))
    #expect(cameras.count { file.known(of: $0) == learnt } == 2)
  }
}
