import CRdKafka
import Posix

// librdkafka's consumer in a group. Offsets are committed only for what the caller has stored: at-least-once.

/// A client of librdkafka, destroyed with the last reference: rd_kafka_destroy waits until every message it has handed out
/// is given back, so each record holds a reference.
// Unchecked because of the C handle, which is thread-safe (rdkafka.h), and of the callbacks, which are only kept alive
// here: `Consumer`'s thread alone has them called, and closes the client before it lets go, so that destroying it, on
// whichever thread has the last record, calls none that touches their state.
final class ConsumerHandle: @unchecked Sendable {
  let pointer: OpaquePointer
  /// What the client's callbacks reach.
  private let callbacks: ClientCallbacks

  init(_ pointer: OpaquePointer, _ callbacks: ClientCallbacks) { (self.pointer, self.callbacks) = (pointer, callbacks) }

  deinit { rd_kafka_destroy(pointer) }
}

/// A record as it was read; its bytes live as long as it does, also beyond its consumer.
// Unchecked because of the raw pointer: a message that was handed out changes once, when its headers are first asked for
// (rdkafka_msg.c), which `init` does before anybody shares it; from then on it is read, and destroyed in `deinit`.
package final class IncomingRecord: @unchecked Sendable {
  private let message: UnsafeMutablePointer<rd_kafka_message_t>
  private let owner: ConsumerHandle
  /// All headers in their order.
  package let headers: [(name: String, value: String)]

  init(_ message: UnsafeMutablePointer<rd_kafka_message_t>, of owner: ConsumerHandle) {
    (self.message, self.owner) = (message, owner)
    var headers: [(name: String, value: String)] = []
    var list: OpaquePointer?
    if rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list {
      var (name, value, size): (UnsafePointer<CChar>?, UnsafeRawPointer?, Int) = (nil, nil, 0)
      while rd_kafka_header_get_all(list, headers.count, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
        let bytes = UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : size)
        headers.append((name.map { String(cString: $0) } ?? "", String(decoding: bytes, as: UTF8.self)))
      }
    }
    self.headers = headers
  }

  // The message first; its client goes after it, with the reference.
  deinit { rd_kafka_message_destroy(message) }

  package var topic: String { message.pointee.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? "" }
  package var partition: Int32 { message.pointee.partition }
  package var offset: Int64 { message.pointee.offset }
  /// The value.
  package var value: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len)
  }
  /// The key as text.
  package var key: String {
    String(decoding: UnsafeRawBufferPointer(start: message.pointee.key, count: message.pointee.key_len), as: UTF8.self)
  }
}

/// What `Consumer.poll` brings.
package enum ConsumerEvent: Sendable {
  case record(IncomingRecord)
  /// The group gave these partitions to this consumer.
  case assigned([Int32])
  /// They belong to others now.
  case revoked([Int32])
  case error(BrokerError)
}

/// A member of a consumer group, reading one topic. Used by one thread.
package final class Consumer {
  private let client: ConsumerHandle
  private var handle: OpaquePointer { client.pointer }
  private let callbacks: Callbacks
  private let topic: String
  /// Events that one poll brought and the next ones hand out.
  private var events: [ConsumerEvent] = []
  private var isClosed = false

  private final class Callbacks: ClientCallbacks {
    /// Touched only inside rd_kafka_consumer_poll, that is on the thread that uses the consumer.
    var rebalances: [ConsumerEvent] = []
  }

  /// Where a group without committed offsets begins.
  package enum Start: String, Sendable, CaseIterable {
    case beginning, end
  }

  /// Joins `group` and subscribes to `topic`. `onEvent` may be called from any thread.
  package init(
    brokers: String, group: String, topic: String, from start: Start, security: Security = Security(),
    properties: [ClientProperty] = [],
    onEvent: @escaping @Sendable (ClientEvent) -> Void
  ) throws(BrokerError) {
    let callbacks = Callbacks(security, onEvent: onEvent)
    let configuration = try ClientConfiguration(
      security.properties + [
        ClientProperty("bootstrap.servers", brokers),
        ClientProperty("group.id", group),
        ClientProperty("client.id", "camgate-consume"),
        ClientProperty("auto.offset.reset", start == .beginning ? "earliest" : "latest"),
        // Committed is what was processed, once a second.
        ClientProperty("enable.auto.offset.store", "false"),
        ClientProperty("auto.commit.interval.ms", "1000"),
        // A member that was killed is replaced within ten seconds.
        ClientProperty("session.timeout.ms", "10000"),
        // Video is large and comes steadily: memory stays bounded.
        ClientProperty("queued.max.messages.kbytes", "16384"),
        // What the group decides waits behind what is queued: a slow reader would hear of it minutes late.
        ClientProperty("queued.min.messages", "64"),
        ClientProperty("fetch.wait.max.ms", "100"),
      ] + properties)
    callbacks.install(in: configuration.handle)
    rd_kafka_conf_set_rebalance_cb(configuration.handle) { client, code, list, opaque in
      guard let list, let opaque else { return }
      let callbacks = Unmanaged<Callbacks>.fromOpaque(opaque).takeUnretainedValue()
      let partitions = (0..<Int(list.pointee.cnt)).map { list.pointee.elems[$0].partition }
      if code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
        callbacks.rebalances.append(.assigned(partitions))
        rd_kafka_assign(client, list)
      } else {
        callbacks.rebalances.append(.revoked(partitions))
        rd_kafka_assign(client, nil)
      }
    }
    client = ConsumerHandle(try configuration.makeClient(RD_KAFKA_CONSUMER, callbacks), callbacks)
    (self.callbacks, self.topic) = (callbacks, topic)
    let handle = client.pointer
    rd_kafka_poll_set_consumer(handle)
    let topics = rd_kafka_topic_partition_list_new(1)
    defer { rd_kafka_topic_partition_list_destroy(topics) }
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA)
    let code = rd_kafka_subscribe(handle, topics)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw BrokerError(code) }
  }

  /// Commits what was stored and leaves the group; nothing can be polled afterwards. False when the cluster did not
  /// answer before `deadline`, or `isImpatient` became true: then the last offsets are not committed, and the client is
  /// left as it is, because librdkafka would wait for the cluster without end.
  package func close(until deadline: MonotonicTime, isImpatient: () -> Bool = { false }) -> Bool {
    if isClosed { return true }
    (events, isClosed) = ([], true)
    let queue = rd_kafka_queue_new(handle)
    defer { rd_kafka_queue_destroy(queue) }
    if let error = rd_kafka_consumer_close_queue(handle, queue) { rd_kafka_error_destroy(error) }
    while rd_kafka_consumer_closed(handle) == 0 {
      if MonotonicTime.now() >= deadline || isImpatient() {
        _ = Unmanaged.passRetained(client)
        return false
      }
      if let event = rd_kafka_queue_poll(queue, 100) { serve(event) }
    }
    return true
  }

  /// Partitions are given back; whatever else comes while closing is of no use any more.
  private func serve(_ event: OpaquePointer) {
    if rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE { rd_kafka_assign(handle, nil) }
    rd_kafka_event_destroy(event)
  }

  deinit { _ = close(until: .now() + .seconds(5)) }

  /// The next event; nil when none came within `milliseconds`.
  package func poll(milliseconds: Int32) -> ConsumerEvent? {
    if events.isEmpty {
      let message = rd_kafka_consumer_poll(handle, milliseconds)
      // What the group decided during the call comes before the record that was read with it.
      events = callbacks.rebalances + (message.map { [event(of: $0)] } ?? [])
      callbacks.rebalances = []
    }
    return events.isEmpty ? nil : events.removeFirst()
  }

  private func event(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> ConsumerEvent {
    let code = message.pointee.err
    if code == RD_KAFKA_RESP_ERR_NO_ERROR { return .record(IncomingRecord(message, of: client)) }
    let error = BrokerError(code, String(cString: rd_kafka_message_errstr(message)))
    rd_kafka_message_destroy(message)
    return .error(error)
  }

  /// What lies before `offset` in a partition is processed; committed within a second, and at the end.
  package func storeOffset(partition: Int32, offset: Int64) {
    let list = rd_kafka_topic_partition_list_new(1)
    defer { rd_kafka_topic_partition_list_destroy(list) }
    rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = offset
    // Fails for a partition that was just taken away; then it is another's to commit.
    rd_kafka_offsets_store(handle, list)
  }
}
