import CRdKafka
import Delivery
import Posix

// What librdkafka can do with the same records and the same settings, and nothing around it.

/// A producer in its barest form.
final class BareLoop {
  private let handle: OpaquePointer
  private let books = Monitor(Books())

  /// What the delivery reports said.
  struct Books {
    var sent = 0
    var acknowledged = 0
    /// Which acknowledgement the rate is reckoned from, and when it came.
    var firstCount = 1
    var firstTime: MonotonicTime?
    var lastTime: MonotonicTime?
    var latency = LatencyHistogram()
    var sendTimes: [MonotonicTime] = []
  }

  init(_ properties: [(name: String, value: String)]) {
    let configuration = rd_kafka_conf_new()
    for (name, value) in properties {
      precondition(rd_kafka_conf_set(configuration, name, value, nil, 0) == RD_KAFKA_CONF_OK, "\(name)=\(value)")
    }
    rd_kafka_conf_set_log_cb(configuration) { _, _, _, _ in }
    rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(books).toOpaque())
    rd_kafka_conf_set_dr_msg_cb(configuration) { _, message, opaque in
      guard let message, let opaque else { return }
      let books = Unmanaged<Monitor<Books>>.fromOpaque(opaque).takeUnretainedValue()
      let (index, now) = (Int(bitPattern: message.pointee._private) - 1, MonotonicTime.now())
      precondition(message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, "a record was not taken")
      books.withLock(wakingIf: { _ in false }) { books in
        books.acknowledged += 1
        if books.acknowledged == books.firstCount { books.firstTime = now }
        books.lastTime = now
        books.latency.add(now - books.sendTimes[index])
      }
    }
    guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0) else {
      preconditionFailure("no producer")
    }
    self.handle = handle
  }

  deinit { rd_kafka_destroy(handle) }

  private func send(_ record: BenchRecord) {
    let headers = rd_kafka_headers_new(record.headers.count)
    for (name, value) in record.headers { rd_kafka_header_add(headers, name, -1, value, value.utf8.count) }
    let index = books.withLock(wakingIf: { _ in false }) { books -> Int in
      books.sendTimes.append(.now())
      books.sent += 1
      return books.sent
    }
    let key = Array(record.key.utf8)
    let code = camgate_produce(
      handle, record.topic, key, key.count, record.payload.baseAddress, record.payload.count, 0, headers,
      UnsafeMutableRawPointer(bitPattern: index))
    precondition(code == RD_KAFKA_RESP_ERR_NO_ERROR, "\(code)")
  }

  /// Sends `count` records as fast as they go, with so many bytes under way. Bytes a second from the first tenth of the
  /// acknowledgements to the last.
  func throughput(_ records: [BenchRecord], count: Int, window: Int) -> Double {
    let byteCount = records[0].payload.count
    books.withLock { $0.firstCount = count / 10 }
    for index in 0..<count {
      while (index - books.read { $0.acknowledged }) * byteCount > window { rd_kafka_poll(handle, 1) }
      send(records[index % records.count])
      rd_kafka_poll(handle, 0)
    }
    finish(count)
    return books.read { books in
      guard let first = books.firstTime, let last = books.lastTime else { return 0 }
      return Double((count - count / 10) * byteCount) / (last - first).inSeconds
    }
  }

  /// Sends at the given times, one record after another, with a thread that serves the reports.
  func latency(_ records: [BenchRecord], at schedule: [MonotonicTime]) -> LatencyHistogram {
    let isDone = Monitor(false)
    // The handle is thread-safe (rdkafka.h); it is lent to the thread as a number for the compiler's sake.
    let address = UInt(bitPattern: handle)
    let thread = Thread.start(name: "bare-events") {
      while !isDone.read({ $0 }) { rd_kafka_poll(OpaquePointer(bitPattern: address), 100) }
    }
    for (index, time) in schedule.enumerated() {
      if time > .now() { Thread.sleep(time - .now()) }
      send(records[index % records.count])
    }
    let deadline = MonotonicTime.now() + .seconds(30)
    while books.read({ $0.acknowledged }) < schedule.count, .now() < deadline { Thread.sleep(.milliseconds(5)) }
    isDone.withLock { $0 = true }
    thread.join()
    return books.read { $0.latency }
  }

  private func finish(_ count: Int) {
    while books.read({ $0.acknowledged }) < count { rd_kafka_poll(handle, 10) }
  }
}

/// A record that is sent again and again.
struct BenchRecord {
  var topic: String
  var key: String
  var headers: [(name: String, value: String)]
  var payload: UnsafeRawBufferPointer
}
