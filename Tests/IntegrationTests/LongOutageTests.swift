import Broker
import Foundation
import Posix
import Testing

extension IntegrationTests.KafkaSide {
  /// Kafka is away for longer than a producer keeps a message that nobody told it to keep.
  @Suite struct LongOutageTests {
    /// A short time, or librdkafka's own (five minutes) when CAMGATE_OUTAGE says `default`.
    static let timeout =
      ProcessInfo.processInfo.environment["CAMGATE_OUTAGE"] == "default"
      ? [] : [ClientProperty("message.timeout.ms", "15000")]
    static let memory = 16 << 20
    let names = ["dock", "gate", "hall", "yard"]

    /// A producer as others configure it, beside the gateway: it gives its messages up, so a gateway that did the same
    /// would lose frames in this test. That it has is also what ends the outage.
    private final class Control {
      private let producer: Producer
      private let reports: Monitor<[DeliveryReport]>
      private let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: 100, alignment: 8)

      init(_ broker: some Bootstrap) throws {
        let reports = Monitor<[DeliveryReport]>([])
        self.reports = reports
        payload.initializeMemory(as: UInt8.self, repeating: 7)
        producer = try Producer(
          properties: [ClientProperty("bootstrap.servers", broker.address)] + LongOutageTests.timeout,
          onReport: { report in reports.withLock { $0.append(report) } }, onEvent: { _ in })
      }

      deinit {
        producer.purge()
        while reports.read({ $0.count }) < sentCount { producer.poll(milliseconds: 100) }
        payload.deallocate()
      }

      private(set) var sentCount = 0

      /// What became of `count` messages.
      func send(_ count: Int, within duration: Duration) throws -> [String?] {
        for _ in 0..<count {
          sentCount += 1
          let record = OutgoingRecord(topic: "control", key: "k", headers: [], timestamp: 0)
          try producer.send(record, payload: UnsafeRawBufferPointer(payload), id: UInt(sentCount))
        }
        let deadline = MonotonicTime.now() + duration
        while reports.read({ $0.count }) < sentCount, MonotonicTime.now() < deadline {
          producer.poll(milliseconds: 100)
        }
        return reports.read { $0.suffix(count).map { $0.error?.name } }
      }
    }

    @Test func nothingIsGivenUpAndMemoryStaysInItsBudget() throws {
      let broker = try Testbed.broker()
      let proxy = try Testbed.kafkaProxy(to: broker)
      let cameras = try Testbed.cameras("dock=h264", "gate=h264", "hall=h264", "yard=mjpeg")
      let ring = try RingDirectory()
      let gateway = try ring.gateway(
        brokers: proxy.address, try names.map { Gateway.Camera($0, try cameras.url($0)) },
        "memory: \(Self.memory >> 20)MiB", size: "1025MiB", stopTimeout: "60s")
      try Testbed.read(broker, names, frames: 60, follow: true, skip: ["decode"], mayComplain: true)
      let control = try Control(proxy)
      #expect(try control.send(5, within: .seconds(60)) == [nil, nil, nil, nil, nil])

      let before = try memory(of: gateway)
      let start = MonotonicTime.now()
      let mark = gateway.child.errors.count
      try proxy.command("cut")
      let fates = try control.send(5, within: .seconds(600))
      let seconds = (MonotonicTime.now() - start).inSeconds
      let growth = try memory(of: gateway).peak - before.now
      #expect(fates == Array(repeating: "_MSG_TIMED_OUT", count: 5))
      #expect(growth < Self.memory * 11 / 10, "\(growth) bytes more than before the outage")

      try proxy.command("pass")
      try gateway.child.waitForErrors(from: mark, timeout: 300) { $0.contains("Kafka keeps up again") }
      try gateway.stop()
      let findings = try Testbed.read(broker, names, skip: ["decode"])
      #expect(findings.lost == 0 && findings.repeated == 0 && findings.gaps == 0, "\(gateway.child.transcript)")
      #expect(try gateway.count(" frames captured") == findings.frames)
      withExtendedLifetime((cameras, ring)) {}
      print(
        "an outage of \(Int(seconds)) s, 4 cameras: \(findings.frames) frames, \(findings.lost) lost; memory grew by "
          + "\(growth >> 10) KiB, budget \(Self.memory >> 10) KiB")
    }

    /// Resident now, and the most since this was asked for the last time, bytes (proc_pid_status(5)).
    private func memory(of gateway: Gateway) throws -> (now: Int, peak: Int) {
      let directory = "/proc/\(gateway.child.processID)"
      let text = try String(contentsOfFile: directory + "/status", encoding: .utf8)
      let kibibytes = try ["VmRSS", "VmHWM"].map { name in
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + ":") })
        return try #require(Int(line.split(separator: " ")[1]))
      }
      // 5: the peak begins anew (proc_pid_clear_refs(5)).
      try Data("5".utf8).write(to: URL(filePath: directory + "/clear_refs"))
      return (kibibytes[0] << 10, kibibytes[1] << 10)
    }
  }
}
