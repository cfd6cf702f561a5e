import CPosix
import Glibc
import Posix

// What a sandboxed process may do with files (Landlock, landlock(7)). Rules are about directories and what is beneath them:
// certificates, tokens and resolv.conf are replaced by renaming, and a rule for a file would hold for the one that is gone.

/// Directories and what may be done beneath them.
package struct FileRules: Sendable {
  package enum Access: Sendable {
    case read
    /// Files and folders are made, written, renamed and removed as well.
    case change
    /// Devices are read, written and steered.
    case devices
  }

  package private(set) var rules: [(path: String, access: Access)] = []

  package init() {}

  /// What the libraries of every gateway read: names of hosts, certificates, time zones; processors, memory, devices.
  package static var ofLibraries: FileRules {
    var rules = FileRules()
    for directory in ["/etc", "/run", "/proc", "/sys", "/dev/urandom", "/dev/random"] {
      rules.allow(.read, beneath: directory)
    }
    rules.allow(.change, beneath: "/dev/null")
    // Plug-ins: a native build loads them when they are needed.
    if !Sandbox.isStatic { for directory in ["/usr", "/lib", "/lib64"] { rules.allow(.read, beneath: directory) } }
    if let path = getenv("SSL_CERT_DIR") { rules.allow(.read, beneath: String(cString: path)) }
    // Where these lead to may be anywhere.
    for file in ["/etc/resolv.conf", "/etc/hosts"] + [TrustedAuthorities.systemFile].compactMap({ $0 }) {
      rules.allowDirectory(of: file)
    }
    return rules
  }

  /// Allows what is beneath `directory`, which need not be there.
  package mutating func allow(_ access: Access, beneath directory: String) { rules.append((directory, access)) }

  /// Allows the directory of a file, by the name it was given and where that leads; the file alone where that is the root.
  package mutating func allowDirectory(of file: String) {
    for path in [file, FileRules.resolved(file)].compactMap({ $0 }) {
      let directory = FileRules.directory(of: path)
      allow(.read, beneath: directory == "/" ? path : directory)
    }
  }

  /// Whether a file may be read, there or not.
  package func allowsReading(_ file: String) -> Bool {
    guard let path = FileRules.resolved(file) ?? FileRules.resolved(FileRules.directory(of: file)) else { return false }
    return rules.contains { rule in
      guard let allowed = FileRules.resolved(rule.path) else { return false }
      return path == allowed || path.hasPrefix(allowed == "/" ? "/" : allowed + "/")
    }
  }

  static func directory(of file: String) -> String {
    guard let slash = file.lastIndex(of: "/") else { return "." }
    return slash == file.startIndex ? "/" : String(file[..<slash])
  }

  /// realpath(3)
  static func resolved(_ path: String) -> String? {
    guard let text = realpath(path, nil) else { return nil }
    defer { free(text) }
    return String(cString: text)
  }
}

/// The kernel's side of it.
struct Landlock {
  /// Rights of linux/landlock.h, by their bits.
  struct Rights: OptionSet {
    let rawValue: UInt64

    static let writeFile = Rights(rawValue: 1 << 1)
    static let readFile = Rights(rawValue: 1 << 2)
    static let readDirectory = Rights(rawValue: 1 << 3)
    static let removeDirectory = Rights(rawValue: 1 << 4)
    static let removeFile = Rights(rawValue: 1 << 5)
    static let makeDirectory = Rights(rawValue: 1 << 7)
    static let makeFile = Rights(rawValue: 1 << 8)
    /// From ABI 2 on: into another directory.
    static let refer = Rights(rawValue: 1 << 13)
    /// From ABI 3 on.
    static let truncate = Rights(rawValue: 1 << 14)
    /// From ABI 5 on.
    static let controlDevice = Rights(rawValue: 1 << 15)

    /// What a rule for a file may have.
    static let ofFiles: Rights = [.writeFile, .readFile, .truncate, .controlDevice]

    /// All that a version knows, forbidden unless a rule allows it.
    static func all(_ version: Int) -> Rights {
      let count = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13
      return Rights(rawValue: 1 << UInt64(count) - 1)
    }

    init(rawValue: UInt64) { self.rawValue = rawValue }

    init(_ access: FileRules.Access) {
      switch access {
      case .read: self = [.readFile, .readDirectory]
      case .change:
        self = [
          .readFile, .readDirectory, .writeFile, .removeDirectory, .removeFile, .makeDirectory, .makeFile, .refer,
          .truncate,
        ]
      case .devices: self = [.readFile, .readDirectory, .writeFile, .controlDevice]
      }
    }
  }

  /// The ABI that the kernel has; throws where it has none.
  static func version() throws(SystemError) -> Int {
    Int(try retryingInterrupts("ask for Landlock") { camgate_landlock_version() })
  }

  /// Binds the calling thread and all it starts later. Everything that a version knows is forbidden but for the rules; from
  /// ABI 4 on nothing listens on TCP, from 6 on no abstract socket and no process outside can be reached.
  static func bind(_ rules: FileRules, version: Int) throws(SystemError) {
    let handled = Rights.all(version)
    var attributes = camgate_landlock_rules(
      file_access: handled.rawValue, net_access: version >= 4 ? 1 : 0, scopes: version >= 6 ? 3 : 0)
    let set = try retryingInterrupts("make Landlock's rules") {
      camgate_landlock_new(&attributes, MemoryLayout<camgate_landlock_rules>.size)
    }
    defer { close(set) }
    for rule in rules.rules {
      let directory = open(rule.path, camgate_open_path | O_CLOEXEC)
      // What is not there has nothing beneath it.
      guard directory >= 0 else { continue }
      defer { close(directory) }
      var status = stat()
      var rights = Rights(rule.access).intersection(handled)
      if fstat(directory, &status) == 0, status.st_mode & S_IFMT != S_IFDIR { rights.formIntersection(.ofFiles) }
      _ = try retryingInterrupts("allow \(rule.path)") { camgate_landlock_allow(set, directory, rights.rawValue) }
    }
    _ = try retryingInterrupts("apply Landlock's rules") { camgate_landlock_bind(set) }
  }
}
