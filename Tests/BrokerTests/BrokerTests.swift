import CRdKafka
import Posix
import Testing

@testable import Broker

/// What librdkafka says, in words that name the culprit.
@Suite struct ConfigurationTests {
  @Test(arguments: [
    (ClientProperty("foo.bar", "1"), "No such configuration property: \"foo.bar\""),
    (ClientProperty("linger.ms", "soon"), "Invalid value for configuration property \"queue.buffering.max.ms\""),
    (
      ClientProperty("acks", "9999"),
      "Configuration property \"request.required.acks\" value 9999 is outside allowed range -1..1000"
    ),
    (ClientProperty("", ""), "No such configuration property: \"\""),
  ])
  func aRefusedPropertyIsNamed(_ property: ClientProperty, _ message: String) {
    #expect(property.refusal == message)
    // `linger.ms` is an alias of the name librdkafka speaks of: the message begins with what the user wrote.
    let error = BrokerError(name: "_INVALID_ARG", message: "\(property.name): \(message)", disposition: .poison)
    #expect(throws: error) {
      try Producer(properties: [ClientProperty("linger.ms", "5"), property], onReport: { _ in }, onEvent: { _ in })
    }
  }

  @Test func knownPropertiesPass() {
    #expect(ClientProperty("linger.ms", "5").refusal == nil)
    #expect(ClientProperty("ssl.ca.location", "/nowhere").refusal == nil)
  }

  /// Compiled with the header of another version, the product would pass librdkafka wrong codes.
  @Test func theHeaderIsThatOfTheLibrary() {
    #expect(rd_kafka_version() == RD_KAFKA_VERSION)
  }

  /// Each property is legal, but not with the other: found only when the client is made.
  @Test func contradictingPropertiesAreNamed() {
    #expect {
      try Producer(
        properties: [ClientProperty("enable.idempotence", "true"), ClientProperty("acks", "1")], onReport: { _ in },
        onEvent: { _ in })
    } throws: {
      ($0 as? BrokerError)?.message.contains("`acks`") == true
    }
  }

  @Test func aFileThatIsNotThereIsNamed() {
    #expect {
      try Producer(
        properties: [
          ClientProperty("security.protocol", "ssl"), ClientProperty("ssl.ca.location", "/nowhere/ca.pem"),
        ], onReport: { _ in }, onEvent: { _ in })
    } throws: {
      ($0 as? BrokerError)?.message.contains("ssl.ca.location") == true
    }
  }
}

@Suite struct BrokerErrorTests {
  /// What is to be done about what librdkafka reports; delivery.md's table.
  @Test(arguments: [
    ("_FATAL", BrokerError.Disposition.recreate), ("_FENCED", .recreate), ("_PURGE_QUEUE", .recreate),
    ("_PURGE_INFLIGHT", .recreate), ("_GAPLESS_GUARANTEE", .recreate), ("OUT_OF_ORDER_SEQUENCE_NUMBER", .recreate),
    ("INVALID_PRODUCER_EPOCH", .recreate), ("UNKNOWN_PRODUCER_ID", .recreate), ("PRODUCER_FENCED", .recreate),
    ("_UNKNOWN_TOPIC", .hold), ("UNKNOWN_TOPIC_OR_PART", .hold), ("TOPIC_AUTHORIZATION_FAILED", .hold),
    ("CLUSTER_AUTHORIZATION_FAILED", .hold), ("SASL_AUTHENTICATION_FAILED", .hold),
    ("MSG_SIZE_TOO_LARGE", .poison), ("INVALID_TIMESTAMP", .poison), ("INVALID_MSG", .resend),
    ("_TRANSPORT", .resend), ("_MSG_TIMED_OUT", .resend), ("NOT_ENOUGH_REPLICAS", .resend), ("_QUEUE_FULL", .resend),
    ("LEADER_NOT_AVAILABLE", .resend), ("UNKNOWN", .resend),
  ])
  func everyErrorHasARemedy(_ name: String, _ disposition: BrokerError.Disposition) throws {
    let code = try #require((-200...200).first { BrokerError(.init($0)).name == name })
    #expect(BrokerError(.init(code)).disposition == disposition)
  }

  @Test func unreachableIsNotRefused() {
    #expect(BrokerError(.init(-195)).isUnreachable)  // _TRANSPORT
    #expect(BrokerError(.init(-193)).isUnreachable)  // _RESOLVE
    #expect(!BrokerError(.init(29)).isUnreachable)  // TOPIC_AUTHORIZATION_FAILED
  }
}
