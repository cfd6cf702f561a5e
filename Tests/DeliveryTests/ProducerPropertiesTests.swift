import Broker
import Settings
import Testing

@testable import Delivery

/// How librdkafka is set up.
@Suite struct ProducerPropertiesTests {
  private func all(_ properties: [ClientProperty] = []) -> [ClientProperty] {
    ProducerProperties.all(
      for: Forwarder.Configuration(
        brokers: "b", clientID: "c", messageMaxBytes: 1 << 20, windowBytes: 16 << 20, properties: properties),
      recordLimit: 1 << 20)
  }

  @Test func librdkafkaTakesThem() {
    for property in all() { #expect(property.refusal == nil, "\(property.name)") }
    #expect(throws: Never.self) { try Producer(properties: all(), onReport: { _ in }, onEvent: { _ in }) }
  }

  /// librdkafka takes the last of several values.
  @Test func userPropertiesWinOverDefaultsOnly() {
    for name in Set(all().map(\.name)) {
      let winner = all([ClientProperty(name, "the user's")]).last { $0.name == name }
      #expect((winner?.value == "the user's") == (ReservedProperties.reasons[name] == nil), "\(name)")
    }
  }

  @Test func reservedPropertiesExist() {
    for name in ReservedProperties.reasons.keys where name != "plugin.library.paths" {
      let refusal = ClientProperty(name, "1").refusal
      #expect(refusal?.hasPrefix("No such") != true, "\(name)")
    }
  }

  /// Retries and batches must never fill the queue, whose limit counts more than our window does.
  @Test func theQueueHoldsMoreThanTheWindow() throws {
    let limit = try #require(all().last { $0.name == "queue.buffering.max.kbytes" }.flatMap { Int($0.value) })
    #expect(limit * 1_024 > 16 << 20)
  }
}
