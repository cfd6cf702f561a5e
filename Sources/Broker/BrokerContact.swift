import CRdKafka
import Posix

// Which broker an event of librdkafka is about. librdkafka names a broker by its address and, after a slash, by its id in the
// cluster, or `bootstrap` while only the settings name it. Invariant: an id means that the cluster advertised the address.

/// A broker by the address under which a client connects to it.
package struct BrokerContact: Sendable, Hashable {
  /// `host:port`
  package var address: String
  /// Its id in the cluster, which advertised the address; nil for one of `bootstrap.servers`.
  package var id: Int32?

  package init(address: String, id: Int32?) { (self.address, self.id) = (address, id) }

  /// From a name as librdkafka writes it: `host:port/1`, `sasl_ssl://host:port/bootstrap` (rdkafka_broker.c,
  /// rd_kafka_mk_brokername); nil for any other text.
  package init?(name: Substring) {
    var name = name
    for scheme in ["plaintext://", "ssl://", "sasl_plaintext://", "sasl_ssl://"] where name.hasPrefix(scheme) {
      name = name.dropFirst(scheme.count)
    }
    let fields = name.split(separator: "/", omittingEmptySubsequences: false)
    guard fields.count == 2, fields[0].contains(":"), fields[1] == "bootstrap" || Int32(fields[1]) != nil else {
      return nil
    }
    (address, id) = (String(fields[0]), Int32(fields[1]))
  }
}

extension BrokerError {
  /// The broker that the message is about and what it says of it, without how long that took; nil when it is not about one
  /// broker.
  package var contact: (broker: BrokerContact, reason: String)? {
    var start = message.startIndex
    while let colon = message[start...].firstIndex(of: ":") {
      let rest = message[message.index(after: colon)...]
      start = rest.startIndex
      guard rest.first == " " else { continue }
      guard let broker = BrokerContact(name: message[..<colon]) else { return nil }
      var reason = rest.dropFirst()
      for bracket in reason.indices where reason[bracket...].hasPrefix(" (after ") && reason.last == ")" {
        reason = reason[..<bracket]
        break
      }
      return (broker, String(reason))
    }
    return nil
  }
}

/// Has `answered` called with the name of each broker that answers a request, on librdkafka's own threads.
struct AnswerInterceptor {
  /// The request that opens every connection (Kafka protocol guide, "API Keys").
  private static let apiVersions: Int16 = 18

  /// Installs it in the configuration that a client is made of: librdkafka copies no interceptor with a configuration.
  static func install(in configuration: OpaquePointer, for callbacks: ClientCallbacks) {
    // "The interceptor MUST NOT call any other rk-specific APIs than rd_kafka_interceptor_add..()" (rdkafka.h).
    rd_kafka_conf_interceptor_add_on_new(
      configuration, "camgate",
      { client, _, opaque, _, _ in
        rd_kafka_interceptor_add_on_response_received(
          client, "camgate",
          { _, _, name, _, request, _, _, _, _, error, opaque in
            guard request == AnswerInterceptor.apiVersions, error == RD_KAFKA_RESP_ERR_NO_ERROR, let opaque, let name,
              let broker = BrokerContact(name: Substring(String(cString: name)))
            else { return RD_KAFKA_RESP_ERR_NO_ERROR }
            Unmanaged<ClientCallbacks>.fromOpaque(opaque).takeUnretainedValue().onEvent(.answered(broker))
            return RD_KAFKA_RESP_ERR_NO_ERROR
          }, opaque)
      }, Unmanaged.passUnretained(callbacks).toOpaque())
  }
}
