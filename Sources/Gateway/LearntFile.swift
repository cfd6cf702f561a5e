import Capture
import Frames
import Posix

// What is learnt about cameras, as a text for the next run (`camgate probe --ring` shows it). Each camera is a line, known
// again by where it is and as whom: one that moves, or gets another user, is another camera. Whether its login has worked
// holds for one password, which is known again by two salted bytes: whoever reads them has tens of thousands of
// passwords to choose from. What is damaged is nothing.
//
//   camgate-learnt 1 SALT
//   CAMERA PATIENCE LOGIN KEEP   fingerprint, seconds, fingerprint of the password, request; `-` for what is not known
//   sum SUM                      fingerprint of all lines in front

/// A text and what it says.
package struct LearntFile: Sendable {
  private struct Entry: Sendable {
    var patience: Duration?
    var login: String?
    var keepAlive = KeepAliveRequest.listed
  }

  /// Cameras in one file.
  static let entryLimit = 1_000
  private static let beginning = "camgate-learnt 1 "
  private static let end = "sum "

  private var salt: [UInt8]
  private var entries: [String: Entry] = [:]
  /// Whether there was a text that says nothing.
  package private(set) var isDamaged = false

  /// An empty text has not been written yet.
  package init(text: String) {
    salt = (0..<16).map { _ in UInt8.random(in: 0...255) }
    guard !text.isEmpty else { return }
    do throws(Damage) { (salt, entries) = try LearntFile.parse(text) } catch { isDamaged = true }
  }

  private struct Damage: Error {}

  private static func parse(_ text: String) throws(Damage) -> ([UInt8], [String: Entry]) {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.popLast() == "", let last = lines.popLast(), last == end + sum(of: lines), let first = lines.first,
      first.hasPrefix(beginning), let salt = Fingerprint.bytes(hex: first.dropFirst(beginning.count))
    else { throw Damage() }
    var entries: [String: Entry] = [:]
    for line in lines.dropFirst().prefix(entryLimit) {
      let words = line.split(separator: " ")
      guard words.count == 4 else { throw Damage() }
      entries[String(words[0])] = Entry(
        patience: Int64(words[1]).map { .seconds($0) }, login: words[2] == "-" ? nil : String(words[2]),
        keepAlive: KeepAliveRequest(rawValue: String(words[3])) ?? .listed)
    }
    return (salt, entries)
  }

  private static func sum(of lines: [Substring]) -> String {
    Fingerprint.of(lines.joined(separator: "\n"), salt: [], byteCount: 8)
  }

  /// What stands in the file.
  package var text: String {
    let lines = entries.sorted { $0.key < $1.key }.prefix(LearntFile.entryLimit).map { key, entry in
      "\(key) \(entry.patience.map { "\($0.components.seconds)" } ?? "-") \(entry.login ?? "-") "
        + (entry.keepAlive == .listed ? "-" : entry.keepAlive.rawValue)
    }
    let all = [LearntFile.beginning + Fingerprint.hex(salt)] + lines
    return (all + [LearntFile.end + LearntFile.sum(of: all.map { $0[...] }), ""]).joined(separator: "\n")
  }

  /// What is known about a camera with these settings.
  package func known(of camera: CameraDescription) -> Learnt {
    var learnt = Learnt()
    guard let key = key(of: camera), let entry = entries[key] else { return learnt }
    (learnt.patience, learnt.keepAlive) = (entry.patience, entry.keepAlive)
    learnt.hasLoginWorked = entry.login != nil && entry.login == login(of: camera, key)
    return learnt
  }

  /// Takes what is known about a camera from now on.
  mutating func keep(_ learnt: Learnt, of camera: CameraDescription) {
    guard let key = key(of: camera) else { return }
    entries[key] = Entry(
      patience: learnt.patience, login: learnt.hasLoginWorked ? login(of: camera, key) : nil,
      keepAlive: learnt.keepAlive)
  }

  /// Forgets all but these.
  mutating func forget(allBut cameras: [CameraDescription]) {
    let keys = Set(cameras.compactMap { key(of: $0) })
    entries = entries.filter { keys.contains($0.key) }
  }

  /// nil for what is no camera that could be learnt about.
  private func key(of camera: CameraDescription) -> String? {
    switch camera.source {
    case .rtsp(let url, let login, _, _):
      Fingerprint.of("rtsp \(url)\n\(login?.username ?? "")", salt: salt, byteCount: 8)
    case .device(let device): Fingerprint.of("device \(device.path)", salt: salt, byteCount: 8)
    case .file, .test: nil
    }
  }

  private func login(of camera: CameraDescription, _ key: String) -> String? {
    guard case .rtsp(_, let login?, _, _) = camera.source else { return nil }
    return Fingerprint.of("\(key)\n\(login.password)", salt: salt, byteCount: 2)
  }
}
