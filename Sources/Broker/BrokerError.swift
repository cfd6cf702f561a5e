import CRdKafka
import Posix

// librdkafka's error codes, sorted by what to do about them. The code keeps librdkafka's own name in the message, so
// that it can be searched for.

/// An error of librdkafka or of the cluster.
package struct BrokerError: Error, Sendable, Equatable {
  /// What to do about it.
  package enum Disposition: Sendable, Equatable {
    /// Sending the same record again may work: it never left, or a passing trouble.
    case resend
    /// Somebody has to mend something at the cluster first (topic, rights): keep the record, try again later.
    case hold
    /// This record will never be accepted.
    case poison
    /// The producer is beyond repair, or was told to give up; a new one must send the record again.
    case recreate
  }

  /// librdkafka's name, e.g. "MSG_SIZE_TOO_LARGE".
  package var name: String
  /// What happened, in words.
  package var message: String
  package var disposition: Disposition

  package init(name: String, message: String, disposition: Disposition) {
    (self.name, self.message, self.disposition) = (name, message, disposition)
  }

  init(_ code: rd_kafka_resp_err_t, _ message: String? = nil) {
    name = String(cString: rd_kafka_err2name(code))
    self.message = message ?? String(cString: rd_kafka_err2str(code))
    disposition = BrokerError.disposition(of: code)
  }

  /// The fatal error that ended a client, under its own name instead of `_FATAL`; nil when there was none.
  init?(fatalErrorOf client: OpaquePointer) {
    var buffer = [CChar](repeating: 0, count: 512)
    let code = rd_kafka_fatal_error(client, &buffer, buffer.count)
    if code == RD_KAFKA_RESP_ERR_NO_ERROR { return nil }
    name = String(cString: rd_kafka_err2name(code))
    (message, disposition) = (text(of: buffer), .recreate)
  }

  /// Whether it is the same trouble in other words: that a topic is unknown librdkafka finds out in several ways.
  package func isLike(_ other: BrokerError) -> Bool {
    let kind = { (name: String) in name.contains("UNKNOWN_TOPIC") ? "UNKNOWN_TOPIC" : name }
    return kind(name) == kind(other.name)
  }

  /// Whether the cluster cannot be reached right now, as opposed to refusing something.
  package var isUnreachable: Bool { ["_ALL_BROKERS_DOWN", "_TRANSPORT", "_RESOLVE"].contains(name) }

  private static func disposition(of code: rd_kafka_resp_err_t) -> Disposition {
    switch code {
    case RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR__PURGE_QUEUE,
      RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE,
      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
      RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
      .recreate
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
      RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR__AUTHENTICATION,
      RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      .hold
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
      RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
      RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
      .poison
    // INVALID_MSG among them, Kafka's CORRUPT_MESSAGE: a checksum that was wrong on the way is retriable (Kafka protocol
    // guide, "Error Codes").
    default: .resend
    }
  }
}
