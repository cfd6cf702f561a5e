import ArgumentParser

/// `camgate check FILE`
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check a settings file and print the effective settings, secrets masked.",
    discussion: """
      Prints every error at once, each with its line and a remedy, and ends with exit code 78 when there is one. \
      Nothing is connected to.
      """)

  @Argument(help: "The settings file (YAML).")
  var file: String

  func run() throws { try Terminal.writeResult(try loadSettings(file).rendered) }
}
