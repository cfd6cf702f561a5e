import ArgumentParser
import Broker
import Capture

/// `camgate version`
struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Print the versions of Camgate and of what it is built on.")

  static let number = "0.1.0"

  func run() {
    print("camgate \(Version.number)")
    print("FFmpeg \(ffmpegVersion)")
    print("librdkafka \(librdkafkaVersion)")
  }
}
