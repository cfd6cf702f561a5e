import Foundation
import Testing

extension IntegrationTests.KafkaSide {
  /// The gateway dies again and again, with Kafka cut off in turns, and a judge outside compares what it said was safe
  /// with what is in the topic. (SIGKILL keeps the page cache: that syncs are in the right place, only the simulator shows.)
  @Suite struct KillTests {
    /// 5, or as many as CAMGATE_KILLS says.
    static let killCount = ProcessInfo.processInfo.environment["CAMGATE_KILLS"].flatMap { Int($0) } ?? 5

    @Test func whatWasSafeArrives() throws {
      let broker = try Testbed.broker()
      let proxy = try Testbed.kafkaProxy(to: broker)
      let ring = try RingDirectory()
      let cameras = [Gateway.Camera("gate", "test:320x240@25"), Gateway.Camera("yard", "test:160x120@15")]
      var secured: [String] = []
      for number in 1...Self.killCount {
        try proxy.command(number % 3 == 0 ? "pass" : number % 3 == 1 ? "cut" : "blackhole")
        let gateway = try ring.gateway(
          brokers: proxy.address, cameras, "write: always", "sync_interval: 200ms", "memory: 4MiB",
          reportsSecured: true)
        let count = Int.random(in: 1...30)
        for line in 1...count { _ = try gateway.child.waitForOutput(from: line - 1) { _ in true } }
        if Bool.random() { try proxy.command("pass") }
        gateway.child.signal(SIGKILL)
        #expect(try gateway.child.waitForExit() == .signal(SIGKILL))
        secured += gateway.child.output
      }
      try proxy.command("pass")
      // The last one is asked to stop at once: it delivers all that is there.
      let last = try ring.gateway(brokers: proxy.address, cameras, "write: always", stopTimeout: "60s")
      try last.waitForLog("frames of earlier runs wait on disk")
      try last.waitForLog("camera yard", "streaming")
      try last.waitForLog("camera gate", "streaming")
      try last.stop()
      #expect(last.child.errors.contains { $0.contains("none left behind") }, "\(last.child.transcript)")
      let verdict = try Testbed.judge(broker, secured: secured)
      #expect(verdict.lost == 0 && verdict.promised > 0, "\(last.child.transcript)")
      print("\(Self.killCount) kills: \(verdict)")
    }
  }
}
