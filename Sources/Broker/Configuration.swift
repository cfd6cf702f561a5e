import CRdKafka
import Posix
import Synchronization

// Settings of librdkafka clients by the names of its CONFIGURATION.md.

/// One librdkafka property.
package struct ClientProperty: Sendable, Equatable {
  package var name: String
  package var value: String

  package init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }

  /// Why librdkafka refuses this property; nil when it takes it.
  package var refusal: String? {
    guard let configuration = rd_kafka_conf_new() else { return "out of memory" }
    defer { rd_kafka_conf_destroy(configuration) }
    return apply(to: configuration)
  }

  fileprivate func apply(to configuration: OpaquePointer) -> String? {
    var buffer = [CChar](repeating: 0, count: 512)
    let result = rd_kafka_conf_set(configuration, name, value, &buffer, buffer.count)
    if result == RD_KAFKA_CONF_OK { return nil }
    let message = text(of: buffer)
    return message.last == "\n" ? String(message.dropLast()) : message
  }
}

/// A client handle under construction: librdkafka takes the configuration over when the client is made.
struct ClientConfiguration: ~Copyable {
  let handle: OpaquePointer

  init(_ properties: [ClientProperty]) throws(BrokerError) {
    guard let handle = rd_kafka_conf_new() else { throw BrokerError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) }
    for property in properties {
      if let refusal = property.apply(to: handle) {
        rd_kafka_conf_destroy(handle)
        // librdkafka names the property it knows, which is another one where the name is an alias.
        throw BrokerError(name: "_INVALID_ARG", message: "\(property.name): \(refusal)", disposition: .poison)
      }
    }
    self.handle = handle
  }

  deinit { rd_kafka_conf_destroy(handle) }

  /// Makes a client; `callbacks` are those that were installed in this configuration.
  consuming func makeClient(
    _ type: rd_kafka_type_t, _ callbacks: ClientCallbacks? = nil
  ) throws(BrokerError) -> OpaquePointer {
    if callbacks != nil, ClientConfiguration.failedLately.withLock({ $0 }) { rd_kafka_destroy(try make(type, nil)) }
    let client = try make(type, callbacks)
    ClientConfiguration.failedLately.withLock { $0 = false }
    return client
  }

  /// rd_kafka_new that fails late (a certificate that cannot be read) has freed the interceptors and left them in the
  /// configuration (rdkafka.c, `fail:`), which is therefore lost. So that this does not add up, what failed is tried
  /// without interceptors the next time.
  private static let failedLately = Mutex(false)

  private borrowing func make(
    _ type: rd_kafka_type_t, _ callbacks: ClientCallbacks?
  ) throws(BrokerError) -> OpaquePointer {
    var buffer = [CChar](repeating: 0, count: 512)
    // rd_kafka_new takes the configuration only when it succeeds; a copy keeps the ownership simple.
    let copy = rd_kafka_conf_dup(handle)
    if let callbacks, let copy { AnswerInterceptor.install(in: copy, for: callbacks) }
    guard let client = rd_kafka_new(type, copy, &buffer, buffer.count) else {
      if callbacks == nil {
        rd_kafka_conf_destroy(copy)
      } else {
        ClientConfiguration.failedLately.withLock { $0 = true }
      }
      throw BrokerError(name: "_INVALID_ARG", message: text(of: buffer), disposition: .poison)
    }
    return client
  }
}

/// What librdkafka tells besides delivery reports and records.
package enum ClientEvent: Sendable {
  /// An error that librdkafka handles or that is fatal (`disposition == .recreate`).
  case error(BrokerError)
  /// A connection to this broker stands, and the broker has answered on it.
  case answered(BrokerContact)
  /// A line of librdkafka's own log.
  case log(String)
  /// A bearer token that is about to go to the brokers, who may repeat it: it must not be shown from now on.
  case token(String)
}

/// What the C callbacks reach through the client's opaque pointer. Must outlive the client.
class ClientCallbacks {
  let onEvent: @Sendable (ClientEvent) -> Void
  private let tokenSource: OAuthToken.Source?

  init(_ security: Security, onEvent: @escaping @Sendable (ClientEvent) -> Void) {
    (self.onEvent, tokenSource) = (onEvent, security.tokenSource)
  }

  /// Sets the callbacks all clients share.
  func install(in configuration: OpaquePointer) {
    rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(self).toOpaque())
    rd_kafka_conf_set_error_cb(configuration) { client, code, reason, opaque in
      guard let opaque else { return }
      let callbacks = Unmanaged<ClientCallbacks>.fromOpaque(opaque).takeUnretainedValue()
      var error = BrokerError(rd_kafka_resp_err_t(code), reason.map { String(cString: $0) })
      if rd_kafka_resp_err_t(code) == RD_KAFKA_RESP_ERR__FATAL, let client {
        error = BrokerError(fatalErrorOf: client) ?? error
      }
      callbacks.onEvent(.error(error))
    }
    rd_kafka_conf_set_log_cb(configuration) { client, _, facility, line in
      guard let client, let opaque = rd_kafka_opaque(client) else { return }
      let callbacks = Unmanaged<ClientCallbacks>.fromOpaque(opaque).takeUnretainedValue()
      let facility = facility.map { String(cString: $0) } ?? ""
      callbacks.onEvent(.log("\(facility): \(line.map { String(cString: $0) } ?? "")"))
    }
    // librdkafka only says that a certificate was refused; here it can be said why.
    _ = rd_kafka_conf_set_ssl_cert_verify_cb(configuration) { _, broker, _, x509Error, _, _, _, _, _, opaque in
      guard let code = x509Error?.pointee, code != 0, let opaque else { return 1 }
      let callbacks = Unmanaged<ClientCallbacks>.fromOpaque(opaque).takeUnretainedValue()
      let name = broker.map { String(cString: $0) } ?? "the broker"
      let message = Security.refusal(x509Error: code, of: name)
      callbacks.onEvent(.error(BrokerError(name: "_SSL", message: message, disposition: .hold)))
      return 0
    }
    guard tokenSource != nil else { return }
    rd_kafka_conf_set_oauthbearer_token_refresh_cb(configuration) { client, _, opaque in
      guard let client, let opaque else { return }
      let callbacks = Unmanaged<ClientCallbacks>.fromOpaque(opaque).takeUnretainedValue()
      guard let source = callbacks.tokenSource else { return }
      OAuthToken.renew(for: client, from: source) {
        callbacks.onEvent(.token($0))
      } complain: {
        callbacks.onEvent(.log("token_command: \($0)"))
      }
    }
  }
}

/// The version of the librdkafka that is linked.
package var librdkafkaVersion: String { String(cString: rd_kafka_version_str()) }
