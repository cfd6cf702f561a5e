import Posix

/// The number behind `name` in a file of /proc/self (proc_pid_io(5), proc_pid_status(5)); 0 when it is not there.
func processFigure(_ file: String, _ name: String) throws -> UInt64 {
  let text = String(decoding: try Files.read("/proc/self/\(file)", limit: 8_192), as: UTF8.self)
  let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
  return line.flatMap { $0.split(whereSeparator: \.isWhitespace).dropFirst().first }.flatMap { UInt64($0) } ?? 0
}
