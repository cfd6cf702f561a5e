import ArgumentParser
import Broker
import Capture

/// `camgate version`
struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Print the versions of Camgate and of what it is built on.")

  static let number = "0.1.0"

  @Flag(help: "Print what is inside the static binary, and under which licences.")
  var licenses = false

  func run() throws {
    let versions = ["camgate \(Version.number)", "FFmpeg \(ffmpegVersion)", "librdkafka \(librdkafkaVersion)"]
    try Terminal.writeResult((licenses ? Licenses.lines : versions).joined(separator: "\n"))
  }
}
