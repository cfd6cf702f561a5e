import ArgumentParser
import Broker
import Capture

/// `camgate version`
struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Print the versions of Camgate and of what it is built on.")

  static let number = "0.1.0"

  @Flag(help: "Print what is inside the static binary, and under which licences.")
  var licenses = false

  func run() {
    if licenses {
      for line in Licenses.lines { print(line) }
      return
    }
    print("camgate \(Version.number)")
    print("FFmpeg \(ffmpegVersion)")
    print("librdkafka \(librdkafkaVersion)")
  }
}
