import CRdKafka
import Posix

// Everything a topic holds, read partition by partition without a group.

struct StoredRecord {
  var partition: Int32
  var offset: Int64
  /// Milliseconds since 1970.
  var timestamp: Int64
  var key: String
  var headers: [(name: String, value: String)]
  var value: [UInt8]

  func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

  /// Whether a frame begins here: it is whole, or this is its first part.
  var isFirstPart: Bool { header("ce_chunk").map { $0.hasPrefix("1/") } ?? true }

  /// The frame's number within its camera and epoch.
  var sequence: UInt64 { header("ce_sequence").flatMap { UInt64($0.dropFirst(10)) } ?? 0 }
}

struct ReadFailure: Error {
  var message: String
}

/// The records of all partitions, each partition in its order.
func storedRecords(brokers: String, topic: String, partitionCount: Int32) throws -> [StoredRecord] {
  let configuration = rd_kafka_conf_new()
  for (name, value) in [
    ("bootstrap.servers", brokers), ("group.id", "reader"), ("enable.auto.commit", "false"),
    ("fetch.wait.max.ms", "10"),
  ] {
    rd_kafka_conf_set(configuration, name, value, nil, 0)
  }
  guard let consumer = rd_kafka_new(RD_KAFKA_CONSUMER, configuration, nil, 0) else {
    throw ReadFailure(message: "no consumer")
  }
  defer { rd_kafka_destroy(consumer) }
  rd_kafka_poll_set_consumer(consumer)
  let list = rd_kafka_topic_partition_list_new(partitionCount)
  defer { rd_kafka_topic_partition_list_destroy(list) }
  var missing: Int64 = 0
  for partition in 0..<partitionCount {
    var (low, high): (Int64, Int64) = (0, 0)
    let code = rd_kafka_query_watermark_offsets(consumer, topic, partition, &low, &high, 10_000)
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw ReadFailure(message: "watermarks: \(code)") }
    if high > low { rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = low }
    missing += high - low
  }
  rd_kafka_assign(consumer, list)
  var records: [StoredRecord] = []
  let deadline = MonotonicTime.now() + .seconds(30)
  while records.count < missing {
    guard MonotonicTime.now() < deadline else { throw ReadFailure(message: "\(records.count) of \(missing) read") }
    guard let message = rd_kafka_consumer_poll(consumer, 1_000) else { continue }
    defer { rd_kafka_message_destroy(message) }
    if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR { records.append(StoredRecord(message)) }
  }
  return records
}

extension StoredRecord {
  fileprivate init(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
    let content = message.pointee
    (partition, offset) = (content.partition, content.offset)
    timestamp = rd_kafka_message_timestamp(message, nil)
    key = String(decoding: UnsafeRawBufferPointer(start: content.key, count: content.key_len), as: UTF8.self)
    value = Array(UnsafeRawBufferPointer(start: content.payload, count: content.len))
    headers = []
    var list: OpaquePointer?
    guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return }
    var (name, bytes, size): (UnsafePointer<CChar>?, UnsafeRawPointer?, Int) = (nil, nil, 0)
    while rd_kafka_header_get_all(list, headers.count, &name, &bytes, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
      let text = String(decoding: UnsafeRawBufferPointer(start: bytes, count: size), as: UTF8.self)
      headers.append((name.map { String(cString: $0) } ?? "", text))
    }
  }
}
