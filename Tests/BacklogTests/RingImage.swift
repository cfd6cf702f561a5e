import Glibc
import Posix

// A ring's directory as text (Tests/Fixtures/ring): what an older version wrote must be read for as long as there are cards
// with it.

/// A directory with the files of a fixture; removed with the last reference.
final class RingImage {
  let path: String

  init(_ name: String) throws {
    var template = Array("/tmp/camgate-ring-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
    let tests = "\(#filePath)".split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
    let source = "\(tests.joined(separator: "/"))/Fixtures/ring/\(name).txt"
    let text = String(decoding: try Files.read(source, limit: 1 << 20), as: UTF8.self)
    var (file, bytes): (Substring, [UInt8]) = ("", [])
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let words = line.split(separator: " ")
      if words[0] == "file" {
        try write(bytes, to: file)
        (file, bytes) = (words[1], [UInt8](repeating: 0, count: Int(words[2]) ?? 0))
      } else if let offset = Int(words[0], radix: 16) {
        let content = RingImage.bytes(words[1])
        bytes.replaceSubrange(offset..<(offset + content.count), with: content)
      }
    }
    try write(bytes, to: file)
  }

  deinit {
    for name in names { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  var names: [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { names.append(String(cString: $0)) }
      }
    }
    return names.filter { !$0.hasPrefix(".") }.sorted()
  }

  private func write(_ bytes: [UInt8], to file: Substring) throws {
    guard !file.isEmpty else { return }
    let descriptor = open("\(path)/\(file)", O_WRONLY | O_CREAT, 0o600)
    defer { close(descriptor) }
    try Files.write(bytes, to: descriptor)
  }

  /// `0a0b0c`, or `0a*3` for one byte repeated.
  private static func bytes(_ text: Substring) -> [UInt8] {
    let parts = text.split(separator: "*")
    if parts.count == 2, let byte = UInt8(parts[0], radix: 16), let count = Int(parts[1]) {
      return [UInt8](repeating: byte, count: count)
    }
    var (bytes, digits): ([UInt8], Substring) = ([], text)
    while !digits.isEmpty {
      bytes.append(UInt8(digits.prefix(2), radix: 16) ?? 0)
      digits = digits.dropFirst(2)
    }
    return bytes
  }
}
