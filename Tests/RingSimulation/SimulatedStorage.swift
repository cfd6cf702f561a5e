import DiskRing
import Glibc
import Posix

// A directory that can lose power. It keeps what is durable and, apart, every write since the last sync of its file and
// every name since the last sync of the directory. `crash` decides for each of them independently; a failed sync leaves
// its writes in doubt for good, as Linux does. Power can be cut at any call.

/// A directory in memory.
package final class SimulatedStorage: Storage {
  struct Write {
    enum Kind {
      case bytes([UInt8])
      case size(Int)
    }

    var offset: Int
    var kind: Kind
    /// A sync that was to cover it has failed: no later one will.
    var isDoubtful = false

    func overlaps(_ other: Write) -> Bool {
      guard case .bytes(let bytes) = kind, case .bytes(let others) = other.kind else { return false }
      return offset < other.offset + others.count && other.offset < offset + bytes.count
    }
  }

  final class File {
    var durable: [UInt8] = []
    /// What reading gives: all writes in place.
    var current: [UInt8] = []
    var pending: [Write] = []
    /// A place that is wrong in memory only.
    var garbledPlace: Int?

    func copy() -> File {
      let copy = File()
      (copy.durable, copy.current, copy.pending) = (durable, current, pending)
      return copy
    }
  }

  enum NameChange {
    case create(String, File)
    case rename(String, String)
    case unlink(String)
  }

  /// What goes wrong by itself, in thousandths of the calls.
  package struct Faults {
    package var writeFails = 0
    package var writeIsShort = 0
    package var readFails = 0
    /// A page is damaged in memory, or on its way there; reading it from the disk again gives what was written.
    package var readGarbles = 0
    /// The error of failing writes.
    package var code = EIO

    package init() {}
  }

  package var faults = Faults()
  /// How often each kind of fault struck.
  package var strikes: [FaultKind: Int] = [:]
  package var random: SeededRandom
  /// Power is cut at this call; nil for never.
  package var crashCall: Int?
  package private(set) var callCount = 0
  /// The same, counted over all processes.
  package var cutsAtTotal: Int?
  package private(set) var totalCallCount = 0
  package private(set) var hasCrashed = false
  /// Bytes of the filesystem.
  package var capacity = 64 << 20
  package var isReadOnly = false

  var names: [String: File] = [:]
  var durableNames: [String: File] = [:]
  var nameChanges: [NameChange] = []
  private var open: [Int32: File] = [:]
  private var nextNumber: Int32 = 0
  private var isLocked = false
  /// How many writes of a file a sync that is under way covers.
  private var covered: [Int32: Int] = [:]

  package init(seed: UInt64) { random = SeededRandom(seed: seed) }

  /// The same disk, untouched by what happens to this one.
  package func copy() -> SimulatedStorage {
    let copy = SimulatedStorage(seed: random.next())
    var files: [ObjectIdentifier: File] = [:]
    func same(_ file: File) -> File {
      if let known = files[ObjectIdentifier(file)] { return known }
      let made = file.copy()
      files[ObjectIdentifier(file)] = made
      return made
    }
    copy.names = names.mapValues(same)
    copy.durableNames = durableNames.mapValues(same)
    copy.nameChanges = nameChanges.map {
      if case .create(let name, let file) = $0 { .create(name, same(file)) } else { $0 }
    }
    copy.capacity = capacity
    return copy
  }

  /// Flips one byte of one file; says which.
  package func flipAnywhere(_ random: inout SeededRandom) -> String {
    let files = names.sorted { $0.key < $1.key }
    let (name, file) = files[random.below(files.count)]
    let place = random.below(file.durable.count)
    file.durable[place] ^= UInt8(1 + random.below(255))
    file.current = file.durable
    return "byte \(place) of \(name)"
  }

  /// Bytes of all files.
  package var usedByteCount: Int { names.values.reduce(0) { $0 + $1.current.count } }

  // MARK: Storage

  private func call(_ operation: String) throws(SystemError) {
    callCount += 1
    totalCallCount += 1
    if let crashCall, callCount >= crashCall { hasCrashed = true }
    if let cutsAtTotal, totalCallCount >= cutsAtTotal { hasCrashed = true }
    if hasCrashed { throw SystemError(code: ENODEV, operation: operation) }
  }

  package func lock() throws(SystemError) {
    if isLocked { throw SystemError(code: EWOULDBLOCK, operation: "lock") }
    isLocked = true
  }

  package func unlock() { isLocked = false }

  package var isPresent: Bool { true }

  package func list() throws(SystemError) -> [StoredFile] {
    try call("list")
    return names.sorted { $0.key < $1.key }.map { StoredFile(name: $0.key, byteCount: $0.value.current.count) }
  }

  package func freeByteCount() throws(SystemError) -> Int { max(0, capacity - usedByteCount) }
  package func totalByteCount() throws(SystemError) -> Int { capacity }

  package func open(_ name: String, creating: Bool) throws(SystemError) -> FileNumber {
    try call("open \(name)")
    var file = names[name]
    if creating {
      if file != nil { throw SystemError(code: EEXIST, operation: "open \(name)") }
      let made = File()
      names[name] = made
      nameChanges.append(.create(name, made))
      file = made
    }
    guard let file else { throw SystemError(code: ENOENT, operation: "open \(name)") }
    nextNumber += 1
    open[nextNumber] = file
    return FileNumber(value: nextNumber)
  }

  package func close(_ file: FileNumber) { open[file.value] = nil }

  /// How many files are open.
  package var openCount: Int { open.count }

  private func file(_ number: FileNumber) -> File {
    guard let file = open[number.value] else { preconditionFailure("file \(number.value) is not open") }
    return file
  }

  package func byteCount(of number: FileNumber) throws(SystemError) -> Int {
    try call("fstat")
    return file(number).current.count
  }

  package func allocate(_ number: FileNumber, byteCount: Int) throws(SystemError) {
    try call("fallocate")
    let file = file(number)
    if byteCount <= file.current.count { return }
    if usedByteCount + byteCount - file.current.count > capacity {
      throw SystemError(code: ENOSPC, operation: "fallocate")
    }
    add(Write(offset: 0, kind: .size(byteCount)), to: file)
  }

  package func truncate(_ number: FileNumber, byteCount: Int) throws(SystemError) {
    try call("ftruncate")
    add(Write(offset: 0, kind: .size(byteCount)), to: file(number))
  }

  package func write(
    _ pieces: [UnsafeRawBufferPointer], to number: FileNumber, at offset: Int
  ) throws(SystemError) -> Int {
    do throws(SystemError) { try call("pwritev") } catch {
      if callCount == crashCall {
        add(Write(offset: offset, kind: .bytes(pieces.flatMap { Array($0) })), to: file(number))
      }
      throw error
    }
    if random.below(1_000) < faults.writeFails { throw SystemError(code: faults.code, operation: "pwritev") }
    var bytes: [UInt8] = []
    for piece in pieces { bytes.append(contentsOf: piece) }
    if bytes.count > 1, random.below(1_000) < faults.writeIsShort {
      bytes.removeLast(1 + random.below(bytes.count - 1))
    }
    add(Write(offset: offset, kind: .bytes(bytes)), to: file(number))
    return bytes.count
  }

  private func add(_ write: Write, to file: File) {
    file.pending.append(write)
    SimulatedStorage.apply(write, to: &file.current)
  }

  static func apply(_ write: Write, to bytes: inout [UInt8]) {
    switch write.kind {
    case .size(let count):
      if count < bytes.count {
        bytes.removeLast(bytes.count - count)
      } else {
        bytes += [UInt8](repeating: 0, count: count - bytes.count)
      }
    case .bytes(let new):
      let end = write.offset + new.count
      if end > bytes.count { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
      bytes.withUnsafeMutableBytes { memory in
        UnsafeMutableRawBufferPointer(rebasing: memory[write.offset..<end]).copyBytes(from: new)
      }
    }
  }

  package func read(
    _ number: FileNumber, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    try call("pread")
    if random.below(1_000) < faults.readFails {
      strikes[.readError, default: 0] += 1
      throw SystemError(code: EIO, operation: "pread")
    }
    let file = file(number)
    guard offset < file.current.count else { return 0 }
    let count = min(buffer.count, file.current.count - offset)
    file.current.withUnsafeBytes { memory in
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[offset..<(offset + count)]))
    }
    garble(file, buffer, offset..<(offset + count))
    return count
  }

  /// Once in a while a byte is wrong, and stays so until the page is read from the disk again.
  private func garble(_ file: File, _ buffer: UnsafeMutableRawBufferPointer, _ range: Range<Int>) {
    if file.garbledPlace == nil, !range.isEmpty, random.below(1_000) < faults.readGarbles {
      file.garbledPlace = range.lowerBound + random.below(range.count)
    }
    guard let place = file.garbledPlace, range.contains(place) else { return }
    strikes[.garbledRead, default: 0] += 1
    buffer[place - range.lowerBound] ^= 0x55
  }

  package func sync(_ number: FileNumber) throws(SystemError) {
    try call("fdatasync")
    endSync(number, coveredCount: file(number).pending.count, fails: false)
  }

  /// A thread has begun to sync: what is written from now on is not covered.
  package func beginSync(_ number: FileNumber) { covered[number.value] = file(number).pending.count }

  /// The sync that was begun has ended.
  package func endSync(_ number: FileNumber, fails: Bool) {
    endSync(number, coveredCount: covered.removeValue(forKey: number.value) ?? 0, fails: fails)
  }

  private func endSync(_ number: FileNumber, coveredCount: Int, fails: Bool) {
    guard let file = open[number.value] else { return }
    var kept: [Write] = []
    for (index, write) in file.pending.enumerated() {
      var write = write
      if index < coveredCount, !fails, !write.isDoubtful {
        // A page that is written again goes out as a whole: what was in doubt about it is settled first.
        for doubtful in kept where doubtful.isDoubtful && doubtful.overlaps(write) && random.chance(50) {
          SimulatedStorage.apply(doubtful, to: &file.durable)
        }
        kept.removeAll { $0.isDoubtful && $0.overlaps(write) }
        SimulatedStorage.apply(write, to: &file.durable)
        continue
      }
      if index < coveredCount, fails { write.isDoubtful = true }
      kept.append(write)
    }
    file.pending = kept
  }

  package func syncDirectory() throws(SystemError) {
    try call("fsync")
    durableNames = names
    nameChanges = []
  }

  package func rename(_ name: String, to newName: String) throws(SystemError) {
    try call("rename")
    guard let file = names.removeValue(forKey: name) else { throw SystemError(code: ENOENT, operation: "rename") }
    names[newName] = file
    nameChanges.append(.rename(name, newName))
  }

  package func unlink(_ name: String) throws(SystemError) {
    try call("unlink")
    guard names.removeValue(forKey: name) != nil else { throw SystemError(code: ENOENT, operation: "unlink") }
    nameChanges.append(.unlink(name))
  }

  package func duplicate(_ file: FileNumber) throws(SystemError) -> Int32 { file.value }

  // MARK: Ends of processes

  /// The process ends, the machine does not. Pages whose sync has failed are read from the platter again.
  package func endProcess() {
    for (_, file) in names.sorted(by: { $0.key < $1.key }) where file.pending.contains(where: \.isDoubtful) {
      for write in file.pending where write.isDoubtful && random.chance(50) {
        SimulatedStorage.apply(write, to: &file.durable)
      }
      file.pending.removeAll(where: \.isDoubtful)
      file.current = file.durable
      for write in file.pending { SimulatedStorage.apply(write, to: &file.current) }
    }
    for file in names.values { file.garbledPlace = nil }
    (open, covered, isLocked) = ([:], [:], false)
    (crashCall, callCount, hasCrashed) = (nil, 0, false)
    faults = Faults()
  }

  /// The power is cut.
  package func crash() {
    endProcess()
    var files: Set<ObjectIdentifier> = []
    let keptChanges = random.below(nameChanges.count + 1)
    for change in nameChanges.prefix(keptChanges) {
      switch change {
      case .create(let name, let file): durableNames[name] = file
      case .rename(let old, let new): durableNames[new] = durableNames.removeValue(forKey: old)
      case .unlink(let name): durableNames[name] = nil
      }
    }
    (names, nameChanges) = (durableNames, [])
    for (_, file) in names.sorted(by: { $0.key < $1.key }) where files.insert(ObjectIdentifier(file)).inserted {
      settle(file)
    }
  }

  /// Decides what became of every write that was not durable.
  private func settle(_ file: File) {
    // Mostly a bit of everything; sometimes all of it or nothing.
    let mood = random.below(8)
    for write in file.pending {
      switch (mood, random.below(8)) {
      case (0, _): SimulatedStorage.apply(write, to: &file.durable)
      case (1, _): break
      case (_, ..<3): SimulatedStorage.apply(write, to: &file.durable)
      case (_, ..<5): break
      case (_, let fate): damage(write, in: file, fate: fate)
      }
    }
    file.pending = []
    file.current = file.durable
  }

  /// Some sectors of a write arrive, others stay as they were, are zero, or hold anything.
  private func damage(_ write: Write, in file: File, fate: Int) {
    guard case .bytes(let bytes) = write.kind, write.offset + bytes.count <= file.durable.count else { return }
    var start = 0
    while start < bytes.count {
      let sectorEnd = (write.offset + start) / 512 * 512 + 512
      let end = min(bytes.count, sectorEnd - write.offset)
      if random.chance(50) {
        for index in start..<end {
          switch fate {
          case 5: file.durable[write.offset + index] = bytes[index]
          case 6: file.durable[write.offset + index] = 0
          default: file.durable[write.offset + index] = UInt8(truncatingIfNeeded: random.next())
          }
        }
      } else if fate != 5 {
        for index in start..<end { file.durable[write.offset + index] = bytes[index] }
      }
      start = end
    }
  }
}
