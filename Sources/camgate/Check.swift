import ArgumentParser
import Settings

/// `camgate check FILE`
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check a settings file and print the effective settings, secrets masked.",
    discussion: """
      Prints every error at once, each with its line and a remedy, and ends with exit code 78 when there is one. \
      Nothing is connected to. What is doubtful is warned of, and is an error with --strict. A comment says how much memory the cameras need while nothing takes their frames for 5 s, \
      at a bitrate that is assumed.
      """)

  @Argument(help: "The settings file (YAML); - reads standard input.")
  var file: String

  @Flag(help: "Every warning is an error: for settings that nobody looks at before they are used.")
  var strict = false

  func run() throws {
    let settings = try checked(file == "-" ? .standardInput() : SettingsFile(path: file), isStrict: strict)
    try Terminal.writeResult(settings.rendered(showing: Terminal.secrets.masked))
  }
}
