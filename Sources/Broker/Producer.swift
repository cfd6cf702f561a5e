import CRdKafka
import Posix

// librdkafka's producer. Invariant: a payload handed to `send` is neither copied nor released here; it belongs to the
// caller until the report with its id.

/// One record to send.
package struct OutgoingRecord: Sendable {
  package var topic: String
  package var key: String
  package var headers: [(name: String, value: String)]
  /// Milliseconds since 1970; 0 = the time of sending.
  package var timestamp: Int64

  package init(topic: String, key: String, headers: [(name: String, value: String)], timestamp: Int64) {
    (self.topic, self.key, self.headers, self.timestamp) = (topic, key, headers, timestamp)
  }
}

/// What became of a record.
package struct DeliveryReport: Sendable {
  /// The id given to `send`.
  package var id: UInt
  /// nil when the broker acknowledged it.
  package var error: BrokerError?
  package var partition: Int32
  /// -1 where librdkafka does not know it (a retried batch).
  package var offset: Int64
  /// It failed, and may lie in the topic all the same.
  package var mayBePersisted: Bool

  package init(
    id: UInt, error: BrokerError?, partition: Int32 = -1, offset: Int64 = -1, mayBePersisted: Bool = false
  ) {
    (self.id, self.error, self.partition, self.offset) = (id, error, partition, offset)
    self.mayBePersisted = mayBePersisted
  }
}

/// A Kafka producer. All methods may be called from any thread (rd_kafka_t is thread-safe, rdkafka.h).
// Unchecked because of the C handle, which is thread-safe, and of the callbacks, which are set before it exists and have
// no state but closures that may be called from any thread.
package final class Producer: @unchecked Sendable {
  private let handle: OpaquePointer
  private let callbacks: Callbacks

  private final class Callbacks: ClientCallbacks {
    let onReport: @Sendable (DeliveryReport) -> Void

    init(
      _ security: Security, onReport: @escaping @Sendable (DeliveryReport) -> Void,
      onEvent: @escaping @Sendable (ClientEvent) -> Void
    ) {
      self.onReport = onReport
      super.init(security, onEvent: onEvent)
    }
  }

  /// `onReport` and error events are called by the thread that calls `poll`; log lines, answers and what is wrong with a
  /// certificate by librdkafka's own threads. `properties` win over `security`.
  package init(
    security: Security = Security(), properties: [ClientProperty],
    onReport: @escaping @Sendable (DeliveryReport) -> Void,
    onEvent: @escaping @Sendable (ClientEvent) -> Void
  ) throws(BrokerError) {
    let callbacks = Callbacks(security, onReport: onReport, onEvent: onEvent)
    let configuration = try ClientConfiguration(security.properties + properties)
    callbacks.install(in: configuration.handle)
    rd_kafka_conf_set_dr_msg_cb(configuration.handle) { _, message, opaque in
      let isPossible = rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED
      guard let message = message?.pointee, let opaque else { return }
      let callbacks = Unmanaged<Callbacks>.fromOpaque(opaque).takeUnretainedValue()
      callbacks.onReport(
        DeliveryReport(
          id: UInt(bitPattern: message._private),
          error: message.err == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : BrokerError(message.err),
          partition: message.partition, offset: message.offset,
          mayBePersisted: message.err != RD_KAFKA_RESP_ERR_NO_ERROR && isPossible))
    }
    handle = try configuration.makeClient(RD_KAFKA_PRODUCER, callbacks)
    self.callbacks = callbacks
  }

  deinit {
    // What is still queued is purged and reported, so that nobody waits for a report that will never come.
    purge()
    while rd_kafka_outq_len(handle) > 0 { rd_kafka_poll(handle, 100) }
    rd_kafka_destroy(handle)
  }

  /// Queues a record. `payload` must stay valid until the report with this `id` (not 0). On an error it was not taken.
  package func send(_ record: OutgoingRecord, payload: UnsafeRawBufferPointer, id: UInt) throws(BrokerError) {
    let headers = rd_kafka_headers_new(record.headers.count)
    for (name, value) in record.headers {
      rd_kafka_header_add(headers, name, -1, value, value.utf8.count)
    }
    let key = Array(record.key.utf8)
    let code = camgate_produce(
      handle, record.topic, key, key.count, payload.baseAddress, payload.count, record.timestamp, headers,
      UnsafeMutableRawPointer(bitPattern: id))
    if code != RD_KAFKA_RESP_ERR_NO_ERROR {
      rd_kafka_headers_destroy(headers)
      throw BrokerError(code)
    }
  }

  /// Serves reports and events for up to `milliseconds`.
  package func poll(milliseconds: Int32) { rd_kafka_poll(handle, milliseconds) }

  /// Gives up everything queued or in flight; each is reported with `_PURGE_QUEUE` or `_PURGE_INFLIGHT`.
  package func purge() { rd_kafka_purge(handle, Int32(RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)) }

  /// What ended this producer; nil while it works.
  package var fatalError: BrokerError? { BrokerError(fatalErrorOf: handle) }

  /// Records that were sent and whose report has not been served.
  package var pendingCount: Int { Int(rd_kafka_outq_len(handle)) }
}
