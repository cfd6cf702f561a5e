import ArgumentParser
import Backlog
import Broker
import Capture
import Delivery
import DiskRing
import Frames
import Gateway
import Posix

/// `camgate demo`: the main job with everything embedded; also the self-test on a board.
struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the main job with an embedded camera and an embedded Kafka, and an outage in the middle.",
    discussion: """
      Two generated cameras (a picture with its number burnt in), a gateway, an in-process Kafka of three brokers, and \
      two readers in two groups that compute the average pixel of every frame. In the middle Kafka goes away, and frames go \
      to a ring in a temporary directory. At the end every captured frame must have been processed once by each reader; otherwise the exit code is 1.

      'repeated' counts records that lay in the topic twice: the embedded Kafka does not remove the repetitions of \
      idempotent retries as real brokers do. 'duplicates' counts frames that a reader processed twice.
      """)

  @Option(parsing: .unconditional, help: "How long to capture, in seconds (1 to 3600).")
  var seconds = 20

  @Option(
    parsing: .unconditional, help: "How long Kafka is away in the middle, in seconds (0 to 60, less than --seconds).")
  var outage = 5

  @Flag(help: "End with one line of JSON on standard output.")
  var json = false

  func validate() throws {
    guard (1...3600).contains(seconds) else { throw ValidationError("--seconds must be from 1 to 3600") }
    guard (0...60).contains(outage), outage < seconds else {
      throw ValidationError("--outage must be from 0 to 60 and less than --seconds")
    }
  }

  func run() throws {
    let signals = Signals()
    let progress = DemoProgress()
    let log = Log(level: .warning) { progress.say($0) }
    let cluster = try MockCluster(brokerCount: 3)
    try cluster.createTopic(topic, partitionCount: 4)
    let readers = ["a", "b"].map { DemoReader(group: $0) }
    for reader in readers {
      try reader.start(brokers: cluster.bootstrapServers, topic: topic, log: log.about("reader \(reader.group)"))
    }
    progress.say("two cameras, three brokers, two readers; waiting for the readers' groups (about 3 s)")
    for reader in readers where !reader.wait(until: .now() + .seconds(30), for: \.hasPartitions) {
      progress.say("reader \(reader.group) got no partitions within 30 s: is loopback networking blocked?")
      throw ExitCode.failure
    }
    let directory = try TemporaryDirectory()
    let gateway = Gateway(plan(brokers: cluster.bootstrapServers, directory: directory.path), log: log)
    try gateway.start()
    capture(gateway, readers, cluster, signals, progress)
    gateway.stopCameras()
    _ = gateway.drain(for: .seconds(30)) {
      progress.show(gateway.snapshot, readers, note: "draining")
      return false
    }
    let summary = DemoSummary(gateway.snapshot, readers: readers, patience: .seconds(15))
    for reader in readers { reader.stop() }
    progress.end()
    try json ? Terminal.writeResult(summary.json) : Terminal.writeResult(summary.table)
    if !summary.isGood { throw ExitCode.failure }
  }

  private var topic: String { "cameras" }

  /// The embedded brokers vanish and come back; look for them often.
  static let clientProperties = [ClientProperty("reconnect.backoff.max.ms", "500"), ClientProperty("log_level", "0")]

  private func plan(brokers: String, directory: String) -> GatewayPlan {
    GatewayPlan(
      name: "demo", brokers: brokers, messageMaxBytes: 1 << 20,
      properties: Demo.clientProperties, memoryBudget: 32 << 20,
      disk: DiskOptions(
        directory: directory,
        ring: RingOptions(size: .bytes(64 << 20), segmentByteCount: 8 << 20, minimumEpoch: GatewayIdentity.newEpoch())),
      cameras: ["left", "right"].compactMap { CameraName($0) }.map { name in
        GatewayPlan.CameraPlan(
          description: CameraDescription(name: name, source: .test(width: 320, height: 240, fps: 10)), topic: topic)
      })
  }

  /// Runs for `seconds`, with Kafka away in the middle; SIGINT or SIGTERM ends it early.
  private func capture(
    _ gateway: Gateway, _ readers: [DemoReader], _ cluster: MockCluster, _ signals: Signals, _ progress: DemoProgress
  ) {
    let start = MonotonicTime.now()
    let outageStart = start + .milliseconds((seconds - outage) * 500)
    let outageEnd = outageStart + .seconds(outage)
    var isAway = false
    while MonotonicTime.now() < start + .seconds(seconds) {
      let now = MonotonicTime.now()
      let shouldBeAway = now >= outageStart && now < outageEnd
      if shouldBeAway != isAway {
        isAway = shouldBeAway
        cluster.setReachable(!isAway)
        progress.say(isAway ? "Kafka goes away for \(outage) s" : "Kafka is back")
      }
      progress.show(gateway.snapshot, readers, note: isAway ? "OUTAGE" : "")
      if signals.next(until: now + .milliseconds(250)) == .stop { break }
    }
    cluster.setReachable(true)
  }
}
