import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// What README.md shows works as it stands there.
  @Suite struct ReadmeTests {
    /// The reader in Python, run as it is on a topic that a gateway is filling: of every camera it prints the mean pixel
    /// of every frame from the first one on, and these are the means that OpenCV and numpy compute.
    @Test func thePythonReaderReads() throws {
      let text = try String(contentsOf: Testbed.root.appending(path: "README.md"), encoding: .utf8)
      let program = try #require(text.firstMatch(of: #/(?s)```python\n(.*?)```/#), "README.md has no Python").output.1
      let broker = try Testbed.broker()
      let names = ["gate", "lamp", "yard"]
      let cameras = try Testbed.cameras("gate=h264", "lamp=mjpeg", "yard=h265")
      let gateway = try Gateway(
        brokers: broker.address, try names.map { Gateway.Camera($0, try cameras.url($0)) })
      let reader = try Testbed.program("python", ["-c", String(program), broker.address])
      for name in names {
        var next = 0
        for _ in 0..<60 { (_, next) = try reader.waitForOutput(from: next) { $0.hasPrefix("dock-7/\(name) ") } }
      }
      let output = reader.output
      try gateway.stop()

      let reference = try Testbed.program("mean_pixel", ["--brokers", broker.address])
      #expect(try reference.waitForExit(timeout: 120) == .code(0), "\(reference.transcript)")
      let means = try ConsumeTests.lines(reference)
      for name in names {
        let printed = try output.filter { $0.hasPrefix("dock-7/\(name) ") }
          .map { try #require(Double($0.split(separator: " ")[1]), "\($0)") }
        let expected = means.filter { $0.camera == name }.map(\.meanPixel)
        #expect(printed.count >= 60 && printed.count <= expected.count)
        for (index, pair) in zip(printed, expected).enumerated() {
          #expect(abs(pair.0 - pair.1) <= 1, "\(name), frame \(index)")
        }
      }
    }
  }
}
