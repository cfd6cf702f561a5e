import CPosix
import Glibc

// Who besides its owner can read a file with a secret in it.

package enum FileExposure {
  // File systems without owners and rights of their own: whoever mounts them says who may read (statfs(2), f_type).
  private static let typesWithoutRights: Set<Int> = [0x4d44, 0x2011_bab0]  // FAT, exFAT

  /// Whether every user of this machine can read the file at `path`: it and all directories above it are open to others.
  /// False where rights say nothing of the owner's will: on FAT, in what Kubernetes mounts (its links lead through
  /// `..data`), and of what is no file.
  package static func isOpenToAll(_ path: String) -> Bool {
    var status = stat()
    if lstat("\(directory(of: path))/..data", &status) == 0 { return false }
    guard let resolved = realpath(path, nil) else { return false }
    defer { free(resolved) }
    var name = String(cString: resolved)
    guard stat(name, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & S_IROTH != 0 else {
      return false
    }
    var system = statfs()
    if statfs(name, &system) == 0, typesWithoutRights.contains(Int(system.f_type)) { return false }
    while name != "/" {
      name = directory(of: name)
      guard stat(name, &status) == 0, status.st_mode & S_IXOTH != 0 else { return false }
    }
    return true
  }

  private static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
