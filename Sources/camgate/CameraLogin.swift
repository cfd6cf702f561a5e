import ArgumentParser

/// A camera's login on a command line. The password is in a file only: every user of a machine can read the arguments of
/// its processes.
struct CameraLogin: ParsableArguments {
  @Option(help: "Login of the camera.")
  var username: String?

  @Option(help: "File with the password; /dev/stdin reads it from there.")
  var passwordFile: String?

  func validate() throws {
    if username != nil, passwordFile == nil { throw ValidationError("--username needs --password-file") }
    if passwordFile != nil, username == nil { throw ValidationError("--password-file needs --username") }
  }
}
