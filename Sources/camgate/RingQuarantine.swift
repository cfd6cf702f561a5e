import ArgumentParser
import Delivery
import Posix

extension RingCommand {
  /// `camgate ring quarantine DIR`
  struct QuarantineList: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "quarantine",
      abstract: "List the frames that Kafka refused for good, with the reason.",
      discussion: """
        They lie in DIR/quarantine: each picture as it was, and beside it a line of JSON. When you have seen them, delete \
        them: only the first 256 frames or 32 MiB are kept, the others are only counted.
        """)

    @OptionGroup var ring: RingArguments

    func run() throws {
      let items = Quarantine.list(Quarantine.directory(ofRing: ring.directory))
      if ring.json {
        for item in items { try Terminal.writeResult(json: item.description) }
      } else {
        let bytes = items.reduce(0) { $0 + $1.byteCount }
        try Terminal.writeResult(lines: items.map { "\($0.path): \($0.description)" })
        try Terminal.writeResult("\(items.count) \(items.count == 1 ? "frame" : "frames"), \(bytes >> 10) KiB")
      }
    }
  }
}
