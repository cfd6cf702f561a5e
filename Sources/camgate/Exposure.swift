import Glibc
import Posix
import Settings

/// What lies open to others on this machine, each as a line for the log at the start of the gateway. What lies open on
/// the network is a matter of the settings themselves (`Diagnostic`).
enum Exposure {
  static func warnings(_ settings: Configuration) -> [String] {
    var lines: [String] = []
    if geteuid() == 0 {
      lines.append(
        "running as root: whoever takes over the gateway has the whole machine; run it as a user of its own")
    }
    if let directory = settings.buffer.directory, let owner = owner(of: directory), owner != geteuid() {
      lines.append(
        "buffer.directory \(directory) belongs to another user (uid \(owner)), who can read and replace what is in it; "
          + "run as that user, or chown -R it")
    }
    for file in settings.secretFiles where FileExposure.isOpenToAll(file) { lines.append(warning(of: file)) }
    return lines
  }

  /// What to say of a file with a secret that is open to all.
  static func warning(of file: String) -> String {
    "\(file) holds a secret and can be read by every user of this machine; chmod o-r it"
  }

  private static func owner(of path: String) -> uid_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_uid : nil
  }
}
