import Broker
import Delivery
import Frames
import Glibc
import Posix

// What is measured, one thing a method.

struct DeliveryBench {
  var options: GatewayPath.Options
  let directory: String
  /// What was found.
  var line = JSONObject()

  /// What the bare loop sends: records as the gateway's, headers and all.
  func bareRecords(_ payload: Payload) -> [BenchRecord] {
    let lanes = GatewayPath.lanes(options)
    return lanes.map { lane in
      BenchRecord(
        topic: lane.topic, key: "bench/\(lane.camera)",
        headers: [
          ("ce_specversion", "1.0"), ("ce_type", "camgate.frame.v1"), ("ce_source", "/bench/\(lane.camera)"),
          ("ce_id", "9f2c4a117be00d35-1795451000-48213"), ("ce_time", "2026-11-23T19:00:00.123456789Z"),
          ("content-type", "image/jpeg"), ("ce_sequence", "179545100000000000000000048213"), ("ce_clock", "gateway"),
          ("ce_ptsns", "803912000000"), ("ce_keyframe", "1"), ("ce_width", "640"), ("ce_height", "480"),
        ], payload: payload.bytes)
    }
  }

  func bareLoop() -> BareLoop {
    BareLoop(
      ProducerProperties.all(for: GatewayPath.configuration(options), recordLimit: 1 << 20).map { ($0.name, $0.value) })
  }

  mutating func inDirectory(_ name: String, _ body: (inout DeliveryBench) throws -> Void) throws {
    options.directory = directory + "/" + name
    guard mkdir(options.directory, 0o700) == 0 else { throw SystemError(code: errno, operation: options.directory) }
    try body(&self)
  }

  /// Many short rounds in turns, of which the median counts: a broker that writes its log to disk stalls for seconds now
  /// and then, whoever sends.
  mutating func catchUp() throws {
    let count = 1_500
    var (own, bare): ([Double], [Double]) = ([], [])
    let payload = benchPayload(options.frameByteCount)
    for round in 1...11 {
      bare.append(bareLoop().throughput(bareRecords(payload), count: count, window: 16 << 20))
      try inDirectory("catch-up-\(round)") { bench in
        let path = try GatewayPath(bench.options)
        path.fill(count)
        own.append(try path.throughput(count))
        path.close()
      }
    }
    withExtendedLifetime(payload) {}
    line.add("mb_per_second", own.map { $0 / 1e6 })
    line.add("bare_mb_per_second", bare.map { $0 / 1e6 })
  }

  mutating func cap() throws {
    options.rate = 2_000_000
    try inDirectory("cap") { bench in
      let path = try GatewayPath(bench.options)
      path.fill(500)
      try path.forwarder.start()
      while path.forwarder.status.acknowledgedCount == 0 { Thread.sleep(.milliseconds(5)) }
      Thread.sleep(.seconds(1))
      let (started, before) = (MonotonicTime.now(), path.forwarder.status)
      Thread.sleep(.seconds(8))
      let (seconds, after) = ((MonotonicTime.now() - started).inSeconds, path.forwarder.status)
      // Each record with its headers, about as much as the gateway reckons.
      let bytes =
        Double(after.acknowledgedBytes - before.acknowledgedBytes)
        + 400 * Double(after.acknowledgedCount - before.acknowledgedCount)
      bench.line.add("error", abs(bytes / seconds - 2_000_000) / 2_000_000)
      path.close()
    }
  }

  /// Frames of all cameras at 25 a second each, evenly spread.
  static func play(_ seconds: Int, _ append: (Int) -> Void) {
    for (index, time) in schedule(seconds).enumerated() {
      if time > .now() { Thread.sleep(time - .now()) }
      append(index % GatewayPath.cameraCount)
    }
  }

  static func schedule(_ seconds: Int) -> [MonotonicTime] {
    let (started, count) = (MonotonicTime.now(), seconds * 25 * GatewayPath.cameraCount)
    return (0..<count).map { started + .nanoseconds(Int64($0) * 1_000_000_000 / Int64(25 * GatewayPath.cameraCount)) }
  }

  mutating func live() throws {
    options.frameByteCount = 8 << 10
    let payload = benchPayload(options.frameByteCount)
    let bare = bareLoop().latency(bareRecords(payload), at: DeliveryBench.schedule(6))
    withExtendedLifetime(payload) {}
    line.add("bare_p99_ms", (bare.quantile(0.99) ?? .zero).inSeconds * 1_000)
    options.isLiveFirst = true
    try inDirectory("live") { bench in
      let path = try GatewayPath(bench.options)
      // One frame of each camera that nobody takes; what comes two seconds later goes behind.
      for camera in 0..<GatewayPath.cameraCount { path.append(to: camera) }
      Thread.sleep(.milliseconds(2_200))
      path.fill(8_000)
      try path.forwarder.start()
      while path.forwarder.status.acknowledgedCount < 8 { Thread.sleep(.milliseconds(5)) }
      let before = path.forwarder.status
      DeliveryBench.play(12) { path.append(to: $0) }
      let after = path.forwarder.status
      Thread.sleep(.seconds(1))
      let latency = path.forwarder.status.liveLatency
      bench.line.add("p50_ms", (latency.quantile(0.5) ?? .zero).inSeconds * 1_000)
      bench.line.add("p99_ms", (latency.quantile(0.99) ?? .zero).inSeconds * 1_000)
      bench.line.add("live_frames", latency.count)
      bench.line.add("backlog_left", path.backlog.waitingCount)
      bench.line.add("mb_per_second", Double(after.acknowledgedBytes - before.acknowledgedBytes) / 12e6)
      path.close()
    }
  }

  mutating func health() throws {
    options.frameByteCount = 16 << 10
    options.write = .onPressure
    let payload = benchPayload(options.frameByteCount)
    let bare = bareLoop()
    _ = bare.latency(bareRecords(payload), at: DeliveryBench.schedule(1))
    let reference = bareLoop().latency(bareRecords(payload), at: DeliveryBench.schedule(15))
    withExtendedLifetime(payload) {}
    try inDirectory("health") { bench in
      let path = try GatewayPath(bench.options)
      try path.forwarder.start()
      DeliveryBench.play(15) { path.append(to: $0) }
      _ = path.backlog.waitUntilEmpty(until: .now() + .seconds(10))
      let latency = path.forwarder.status.liveLatency
      for (name, share) in [("p50_ms", 0.5), ("p99_ms", 0.99)] {
        bench.line.add(name, (latency.quantile(share) ?? .zero).inSeconds * 1_000)
        bench.line.add("bare_" + name, (reference.quantile(share) ?? .zero).inSeconds * 1_000)
      }
      path.close()
    }
  }
}
