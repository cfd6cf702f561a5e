import ArgumentParser
import Broker
import Consuming
import Imaging
import Posix
import Records
import Settings

/// `camgate consume`
struct Consume: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read frames from Kafka, decode them and process them.",
    discussion: """
      Joins a consumer group: readers in different groups each see every frame, readers in the same group share the \
      cameras between them. Offsets are committed after processing, and never past the keyframe of a picture group that \
      is still being read, so that whoever takes over misses nothing and may see the last frames again.

      The processor average-pixel prints the mean of all channels of each frame: camera, capture time, sequence, mean \
      pixel. Runs until SIGTERM or SIGINT, or until --count frames were processed.
      """)

  enum Processor: String, ExpressibleByArgument, CaseIterable {
    case averagePixel = "average-pixel"
  }

  @Option(help: "Comma-separated host:port of the brokers.")
  var brokers: String

  @Option(help: "The topic to read.")
  var topic = "cameras"

  @Option(help: "The consumer group.")
  var group: String

  @Option(help: "Only this camera: its name, or gateway/camera. If none of its frames come, the log says whose do.")
  var camera: String?

  @Option(help: "What is done with each picture.")
  var processor = Processor.averagePixel

  @Flag(help: "Print one JSON object a frame.")
  var json = false

  @Option(parsing: .unconditional, help: "End after this many frames.")
  var count: Int?

  @OptionGroup(title: "Security")
  var security: SecurityOptions

  @Option(help: "Where a group without committed offsets begins: beginning or end.")
  var from = Consumer.Start.end

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--count must be at least 1") }
    if group.isEmpty { throw ValidationError("--group must not be empty") }
    for broker in brokers.split(separator: ",", omittingEmptySubsequences: false)
    where brokerAddress(String(broker)) == nil {
      throw ValidationError("--brokers: '\(broker)' is not a broker's address (host:port)")
    }
  }

  func run() throws {
    let signals = Signals()
    silenceFFmpeg()
    let security = try security.security()
    let log = Log(secrets: Terminal.secrets)
    for warning in self.security.warnings(brokers: brokers) { log.warning(warning) }
    let consumer: Consumer
    do throws(BrokerError) {
      consumer = try Consumer(brokers: brokers, group: group, topic: topic, from: from, security: security) { event in
        switch event {
        case .error(let error): log.warning("\(error.message) (\(error.name)); retrying")
        case .log(let line): log.debug(line)
        case .answered: break
        case .token(let token): log.secrets.registerToken(token)
        }
      }
    } catch {
      log.error(error.message)
      throw ExitCode.failure
    }
    let printer = Printer(json: json)
    var search = camera.map { CameraSearch(for: $0, now: .now()) }
    let reader = FrameReader(
      consumer: consumer, processor: AveragePixel { printer.print($0, mean: $1) }, log: log
    ) { search?.wants(camera: $0.camera, source: $0.source, now: .now()) ?? true }
    while !printer.isClosed && reader.acceptedCount < count ?? .max && signals.next(until: .now()) != .stop {
      reader.step(milliseconds: 200)
      if let line = search?.line(now: .now()) { log.warning(line) }
      log.writeOmissions()
    }
    reader.finish()
    if !consumer.close(until: .now() + .seconds(5), isImpatient: { signals.next(until: .now()) == .stop }) {
      log.warning("Kafka does not answer: the last offsets are not committed, the last frames will be read again")
    }
    log.writeOmissions(isLast: true)
    let statistics = reader.statistics
    log.info(
      "\(statistics.processedCount) frames processed, \(statistics.repeatedCount) repeated records dropped, "
        + "\(statistics.skippedCount) frames without a keyframe or broken, \(statistics.incompleteCount) incomplete, "
        + "\(statistics.foreignCount) records that are no frames")
  }
}

extension Consumer.Start: ExpressibleByArgument {}

/// Prints one line a frame, until nobody reads.
private final class Printer {
  private let json: Bool
  /// Whether the reader of standard output went away.
  private(set) var isClosed = false

  init(json: Bool) { self.json = json }

  func print(_ frame: ReceivedFrame, mean: Double) {
    if isClosed { return }
    isClosed = !(json ? Terminal.writeLine(object(frame, mean)) : Terminal.writeLine(line(frame, mean)))
  }

  private func line(_ frame: ReceivedFrame, _ mean: Double) -> String {
    "\(frame.camera)  \(frame.time)  \(frame.id.sequence)  \(hundredths(mean))"
  }

  private func object(_ frame: ReceivedFrame, _ mean: Double) -> JSONObject {
    var object = JSONObject()
    object.add("camera", frame.camera)
    object.add("source", frame.source)
    object.add("id", frame.id.text)
    object.add("time", frame.time)
    object.add("sequence", frame.sequence)
    object.add("meanPixel", (mean * 1_000).rounded() / 1_000)
    return object
  }
}
