import DiskRing
import Glibc
import Posix

// A directory that can lose power. It keeps what is durable and, apart, every write since the last sync of its file and
// every name since the last sync of the directory. `crash` decides for each of them independently; a failed sync leaves
// its writes in doubt for good, as Linux does. Power can be cut at any call.

/// A directory in memory.
package final class SimulatedStorage: Storage {
  typealias File = SimulatedFile

  enum NameChange {
    case create(String, File)
    case rename(String, String)
    case unlink(String)
  }

  /// What goes wrong by itself, in thousandths of the calls.
  package struct Faults {
    package var writeFails = 0
    package var syncFails = 0
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
  /// A file that cannot be written or made durable, for as long as it is so.
  package var worn: String?
  /// Files that cannot be opened, or with EIO not be read, and the error, for as long as it is so.
  package var shut: [String: CInt] = [:]
  /// A place of a file whose sector cannot be read until it is written again.
  package var deadSector: (name: String, offset: Int)?
  package var random: SeededRandom
  /// Power is cut at this call; nil for never.
  package var crashCall: Int?
  package private(set) var callCount = 0
  /// The same, counted over all processes.
  package var cutsAtTotal: Int?
  package private(set) var totalCallCount = 0
  package private(set) var hasCrashed = false
  /// Bytes that reads gave.
  package private(set) var readByteCount = 0
  /// Bytes of the filesystem.
  package var capacity = 64 << 20
  package var isReadOnly = false

  var names: [String: File] = [:]
  var durableNames: [String: File] = [:]
  var nameChanges: [NameChange] = []
  private var open: [Int32: File] = [:]
  private var nextNumber: Int32 = 0
  private var isLocked = false
  /// The next read is not garbled: it comes from the disk.
  private var isFresh = false
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

  /// Makes some bytes of a file zero.
  func wipe(_ name: String, _ range: Range<Int>) {
    guard let file = names[name] else { return }
    for place in range.clamped(to: 0..<file.current.count) { file.current[place] = 0 }
    (file.durable, file.pending) = (file.current, [])
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
    if let code = shut[name], code != EIO, !creating {
      strikes[.shutFile, default: 0] += 1
      throw SystemError(code: code, operation: "open \(name)")
    }
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
    file.add(SimulatedFile.Write(offset: 0, kind: .size(byteCount)))
  }

  package func truncate(_ number: FileNumber, byteCount: Int) throws(SystemError) {
    try call("ftruncate")
    file(number).add(SimulatedFile.Write(offset: 0, kind: .size(byteCount)))
  }

  package func write(
    _ pieces: [UnsafeRawBufferPointer], to number: FileNumber, at offset: Int
  ) throws(SystemError) -> Int {
    do throws(SystemError) { try call("pwritev") } catch {
      if callCount == crashCall {
        file(number).add(SimulatedFile.Write(offset: offset, kind: .bytes(pieces.flatMap { Array($0) })))
      }
      throw error
    }
    if isWorn(number) { throw SystemError(code: EIO, operation: "pwritev") }
    if random.below(1_000) < faults.writeFails {
      strikes[.failedWrite, default: 0] += 1
      throw SystemError(code: faults.code, operation: "pwritev")
    }
    var bytes: [UInt8] = []
    for piece in pieces { bytes.append(contentsOf: piece) }
    if bytes.count > 1, random.below(1_000) < faults.writeIsShort {
      bytes.removeLast(1 + random.below(bytes.count - 1))
    }
    let written = file(number)
    if isDead(written, offset..<(offset + bytes.count)), let deadSector {
      // The system would have to read the rest of the block.
      guard deadBlock(deadSector.offset).clamped(to: offset..<(offset + bytes.count)) == deadBlock(deadSector.offset)
      else {
        throw SystemError(code: EIO, operation: "pwritev")
      }
      // The disk puts a good sector in its place.
      replaceDeadSector()
    }
    written.add(SimulatedFile.Write(offset: offset, kind: .bytes(bytes)))
    return bytes.count
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
    if shut.contains(where: { $0.value == EIO && names[$0.key] === file }) {
      strikes[.shutFile, default: 0] += 1
      throw SystemError(code: EIO, operation: "pread")
    }
    if isDead(file, offset..<(offset + buffer.count)) {
      strikes[.deadSector, default: 0] += 1
      throw SystemError(code: EIO, operation: "pread")
    }
    guard offset < file.current.count else { return 0 }
    let count = min(buffer.count, file.current.count - offset)
    readByteCount += count
    file.current.withUnsafeBytes { memory in
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[offset..<(offset + count)]))
    }
    // Once in a while a byte is wrong, and stays so until the page is read from the disk again.
    if file.garbledPlace == nil, !isFresh, random.below(1_000) < faults.readGarbles {
      file.garbledPlace = offset + random.below(count)
    }
    isFresh = false
    if let place = file.garbledPlace, (offset..<(offset + count)).contains(place) {
      strikes[.garbledRead, default: 0] += 1
      buffer[place - offset] ^= 0x55
    }
    return count
  }

  /// A good sector takes the place of the dead one; what was in that is lost.
  func replaceDeadSector() {
    guard let (name, offset) = deadSector else { return }
    deadSector = nil
    guard let file = names[name] else { return }
    for place in deadBlock(offset).clamped(to: file.durable.indices) { file.durable[place] = 0 }
    file.current = file.durable
    for write in file.pending { SimulatedFile.apply(write, to: &file.current) }
  }

  /// What cannot be read for one sector: a page of the system.
  private func deadBlock(_ offset: Int) -> Range<Int> { offset / 4_096 * 4_096..<offset / 4_096 * 4_096 + 4_096 }

  private func isDead(_ file: File, _ range: Range<Int>) -> Bool {
    guard let deadSector, names[deadSector.name] === file else { return false }
    return range.overlaps(deadBlock(deadSector.offset))
  }

  package func forgetCached(_ number: FileNumber, at offset: Int, byteCount: Int) {
    let file = file(number)
    if let place = file.garbledPlace, (offset..<(offset + byteCount)).contains(place) {
      file.garbledPlace = nil
      // What comes from the disk is right.
      isFresh = true
    }
  }

  package func sync(_ number: FileNumber) throws(SystemError) {
    try call("fdatasync")
    let file = file(number)
    if isSyncFailing(number) {
      file.endSync(coveredCount: file.pending.count, fails: true, &random)
      throw SystemError(code: EIO, operation: "fdatasync")
    }
    file.endSync(coveredCount: file.pending.count, fails: false, &random)
  }

  /// Whether a sync of this file that ends now fails.
  func isSyncFailing(_ number: FileNumber) -> Bool {
    if isWorn(number) { return true }
    guard random.below(1_000) < faults.syncFails else { return false }
    strikes[.failedSync, default: 0] += 1
    return true
  }

  /// Whether writing and syncing this file fails.
  func isWorn(_ number: FileNumber) -> Bool {
    guard let worn, let file = names[worn], file === open[number.value] else { return false }
    strikes[.wornFile, default: 0] += 1
    return true
  }

  /// A thread has begun to sync: what is written from now on is not covered.
  package func beginSync(_ number: FileNumber) { covered[number.value] = file(number).pending.count }

  /// The sync that was begun has ended.
  package func endSync(_ number: FileNumber, fails: Bool) {
    let count = covered.removeValue(forKey: number.value) ?? 0
    open[number.value]?.endSync(coveredCount: count, fails: fails, &random)
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
    for (_, file) in names.sorted(by: { $0.key < $1.key }) { file.forgetDoubtful(&random) }
    for file in names.values { file.garbledPlace = nil }
    (open, covered, isLocked) = ([:], [:], false)
    (crashCall, callCount, hasCrashed) = (nil, 0, false)
    (faults, worn, shut) = (Faults(), nil, [:])
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
      file.settle(&random)
    }
  }
}
