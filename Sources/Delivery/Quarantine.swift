import Glibc
import Posix
import Records

// Frames that Kafka will never accept, kept for people to look at: for each the picture as it is, and beside it a line of
// JSON with what it was and why it was refused. What is kept is bounded, and the first are kept rather than the last:
// refusals come in rows, the first shows the cause, and a disk that wears out is not for the others. All are counted.

/// A frame that was refused.
package struct RefusedFrame: Sendable {
  package var camera: String
  package var topic: String
  /// Its `ce_id`.
  package var id: String
  /// `ce_time`
  package var time: String
  package var contentType: String
  /// librdkafka's name of the error, and what it means.
  package var reason: String
  package var bytes: [UInt8]

  package init(
    camera: String, topic: String, id: String, time: String, contentType: String, reason: String, bytes: [UInt8]
  ) {
    (self.camera, self.topic, self.id, self.time) = (camera, topic, id, time)
    (self.contentType, self.reason, self.bytes) = (contentType, reason, bytes)
  }
}

/// A directory of refused frames, with a thread of its own that writes: nobody waits for the disk.
package final class Quarantine: Sendable {
  /// How it stands.
  package struct Count: Sendable, Equatable {
    /// Frames in the directory, those of earlier runs among them.
    package var kept = 0
    package var keptBytes = 0
    /// Frames of this run that were refused and are not kept.
    package var notKept = 0

    package init(kept: Int = 0, keptBytes: Int = 0, notKept: Int = 0) {
      (self.kept, self.keptBytes, self.notKept) = (kept, keptBytes, notKept)
    }
  }

  private struct State {
    var count = Count()
    /// What is to be written, and whom to tell of it.
    var queue: [(frame: RefusedFrame, whenDone: @Sendable () -> Void)] = []
    var queuedBytes = 0
    var isClosing = false
  }

  /// What a directory holds at most.
  package static let frameLimit = 256
  package static let byteLimit = 32 << 20
  /// What may wait to be written, bytes.
  private static let queueLimit = 4 << 20

  package let directory: String
  private let state = Monitor(State())
  private let log: Log
  private let thread = Monitor<Thread?>(nil)

  /// `directory` is made when the first frame comes.
  package init(directory: String, log: Log) {
    (self.directory, self.log) = (directory, log)
    let found = Quarantine.list(directory)
    state.withLock { state in
      (state.count.kept, state.count.keptBytes) = (found.count, found.reduce(0) { $0 + $1.byteCount })
    }
  }

  package var count: Count { state.read { $0.count } }

  /// Keeps a frame if there is room. Returns at once; calls `whenDone` when a power cut would leave what is kept, or when
  /// it is not kept.
  package func keep(_ frame: RefusedFrame, whenDone: @escaping @Sendable () -> Void = {}) {
    let (isKept, isFirst) = state.withLock { state -> (Bool, Bool) in
      let waiting = state.queue.count
      let hasRoom =
        state.count.kept + waiting < Quarantine.frameLimit
        && state.count.keptBytes + state.queuedBytes + frame.bytes.count <= Quarantine.byteLimit
        && state.queuedBytes + frame.bytes.count <= Quarantine.queueLimit && !state.isClosing
      guard hasRoom else {
        state.count.notKept += 1
        return (false, state.count.notKept == 1)
      }
      state.queue.append((frame, whenDone))
      state.queuedBytes += frame.bytes.count
      return (true, false)
    }
    if isFirst {
      log.warning("\(directory) is full: refused frames are only counted from now on; look at it and empty it")
    }
    guard isKept else { return whenDone() }
    thread.withLock { if $0 == nil { $0 = Thread.start(name: "quarantine") { [self] in work() } } }
  }

  /// Writes what waits, and ends.
  package func close() {
    state.withLock { $0.isClosing = true }
    thread.read { $0 }?.join()
  }

  private func work() {
    while let (frame, whenDone) = next() {
      var failure: SystemError?
      do throws(SystemError) { try write(frame) } catch { failure = error }
      if let failure { log.error("a refused frame cannot be kept: \(failure)") }
      state.withLock { state in
        state.queue.removeFirst()
        state.queuedBytes -= frame.bytes.count
        if failure == nil {
          state.count.kept += 1
          state.count.keptBytes += frame.bytes.count
        } else {
          state.count.notKept += 1
        }
      }
      whenDone()
    }
  }

  /// The frame to be written; it stays in the queue until it is, so that it always counts once.
  private func next() -> (RefusedFrame, @Sendable () -> Void)? {
    let frame: (RefusedFrame, @Sendable () -> Void)?? = state.wait { state in
      if let first = state.queue.first { return .some(first) }
      return state.isClosing ? .some(nil) : nil
    }
    return frame ?? nil
  }

  private func write(_ frame: RefusedFrame) throws(SystemError) {
    if mkdir(directory, 0o700) == 0 {
      try Quarantine.syncDirectory(directory + "/..")
    } else if errno != EEXIST {
      throw SystemError(code: errno, operation: "make \(directory)")
    }
    // Names are taken relative to it, and no link is followed: whoever may write beside us must not choose what is
    // overwritten elsewhere.
    let place = try retryingInterrupts("open \(directory)") {
      open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    }
    defer { Glibc.close(place) }
    let name = "\(frame.camera)-\(frame.id)"
    try write(frame.bytes, to: name + Quarantine.suffix(of: frame.contentType), in: place)
    var object = JSONObject()
    for (key, value) in [
      ("camera", frame.camera), ("topic", frame.topic), (HeaderName.id, frame.id), (HeaderName.time, frame.time),
      (HeaderName.contentType, frame.contentType), ("reason", log.secrets.masked(frame.reason)),
    ] {
      object.add(key, value)
    }
    object.add("bytes", frame.bytes.count)
    // Last: a frame without it is half written.
    try write(Array((object.text + "\n").utf8), to: name + ".json", in: place)
    _ = try retryingInterrupts("fsync \(directory)") { fsync(place) }
  }

  /// The names in a directory are durable only when it is synced itself (fsync(2)).
  private static func syncDirectory(_ path: String) throws(SystemError) {
    let file = try retryingInterrupts("open \(path)") { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { Glibc.close(file) }
    _ = try retryingInterrupts("fsync \(path)") { fsync(file) }
  }

  private func write(_ bytes: [UInt8], to name: String, in place: Int32) throws(SystemError) {
    let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC
    let file = try retryingInterrupts("create \(directory)/\(name)") { openat(place, name, flags, 0o600) }
    defer { Glibc.close(file) }
    try Files.write(bytes, to: file)
    _ = try retryingInterrupts("fdatasync \(directory)/\(name)") { fdatasync(file) }
  }

  private static func suffix(of contentType: String) -> String {
    switch contentType {
    case "video/h264": ".h264"
    case "video/h265": ".h265"
    case "image/jpeg": ".jpg"
    default: ".bin"
    }
  }
}

extension Quarantine {
  /// What was kept of one frame.
  package struct Item: Sendable, Equatable {
    /// The file of its JSON line; the picture is beside it.
    package var path: String
    /// That line.
    package var description: String
    /// Bytes of the picture.
    package var byteCount: Int
  }

  /// Where the frames of a gateway with a ring are.
  package static func directory(ofRing directory: String) -> String { directory + "/quarantine" }

  /// What a directory holds, in the order of the names; nothing when there is none.
  package static func list(_ directory: String) -> [Item] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var items: [Item] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      let path = "\(directory)/\(name)"
      guard name.hasSuffix(".json"),
        let bytes = try? Files.read(path, limit: 4_096, followingLinks: false)
      else { continue }
      let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first.map { String($0) } ?? ""
      let digits = line.components(behind: "\"bytes\":").prefix { $0.isNumber }
      items.append(Item(path: path, description: line, byteCount: Int(digits) ?? 0))
    }
    return items.sorted { $0.path < $1.path }
  }
}

extension String {
  fileprivate func components(behind text: String) -> Substring {
    var rest = self[...]
    while !rest.isEmpty, !rest.hasPrefix(text) { rest = rest.dropFirst() }
    return rest.dropFirst(text.count)
  }
}
