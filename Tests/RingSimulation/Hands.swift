import DiskRing
import Posix

// Rot, and people who mean well: bits that flip, files that are deleted, cut, swapped, renamed and copied.

enum Hands {
  /// Flips one byte of one file, durable or not; where `at` says, or anywhere.
  static func flip(_ world: World, _ random: inout SeededRandom, at chosen: (name: String, place: Int)? = nil) {
    let names = world.storage.names.keys.filter { !$0.hasSuffix(".damaged") }.sorted()
    guard !names.isEmpty else { return }
    let name = chosen?.name ?? names[random.below(names.count)]
    guard let file = world.storage.names[name], !file.durable.isEmpty else { return }
    // The slots of small files are mostly zeros: hit what is in them.
    let isSmall = !name.hasPrefix("segment")
    let anywhere =
      isSmall ? random.below(400) + (random.chance(50) ? 64 << 10 : 0) : random.below(file.durable.count)
    let place = chosen?.place ?? anywhere
    let mask = UInt8(1 + random.below(255))
    guard file.durable.indices.contains(place) else { return }
    world.say("byte \(place) of \(name) flips")
    file.durable[place] ^= mask
    file.current = file.durable
    for write in file.pending { SimulatedFile.apply(write, to: &file.current) }
    note(name, world, harm: 1)
  }

  /// `harm`: 1 when only one slot of a small file can have suffered.
  private static func note(_ name: String, _ world: World, harm: Int = 2) {
    world.say("\(name) suffers")
    world.isRotten = true
    // Headers keep cursors, too.
    if name == "cursor" || harm > 1 { world.mayLoseCursor = true }
    if name == "superblock" { world.epochHarm += harm }
  }

  /// Does something to a directory that nobody has open.
  static func touch(_ world: World, _ random: inout SeededRandom) {
    let storage = world.storage
    // Hands are slow: the system has written everything by then.
    for file in storage.names.values { (file.durable, file.pending) = (file.current, []) }
    let segments = storage.names.keys.filter { $0.hasPrefix("segment") && !$0.hasSuffix(".foreign") }.sorted()
    guard let one = segments.isEmpty ? nil : segments[random.below(segments.count)] else { return }
    let other = segments[random.below(segments.count)]
    switch random.below(12) {
    case 0: remove(one, world)
    case 1: cut(one, world, to: random.below(storage.names[one]?.durable.count ?? 1))
    case 2 where one != other:
      world.say("\(one) and \(other) are swapped")
      (storage.names[one], storage.names[other]) = (storage.names[other], storage.names[one])
    case 3: storage.names["kept-by-hand-\(random.below(100))"] = storage.names.removeValue(forKey: one)
    case 4: storage.names["segment-000\(10 + random.below(80))"] = storage.names[one]?.copy()
    case 5: storage.names["segment-000\(10 + random.below(80))"] = foreignFile
    case 6: remove(random.chance(50) ? "cursor" : "superblock", world)
    case 8:
      flip(world, &random, at: (name: one, place: (storage.names[one]?.durable.count ?? 0) - 1 - random.below(128)))
    case 7: wipe(one, world, header: random.chance(50))
    default: flip(world, &random)
    }
    (storage.durableNames, storage.nameChanges) = (storage.names, [])
  }

  private static func remove(_ name: String, _ world: World) {
    world.storage.names[name] = nil
    note(name, world)
  }

  private static func cut(_ name: String, _ world: World, to byteCount: Int) {
    guard let file = world.storage.names[name] else { return }
    file.durable.removeLast(file.durable.count - byteCount)
    file.current = file.durable
    note(name, world)
  }

  /// Zeros over both headers, or over everything but a bit of the first.
  private static func wipe(_ name: String, _ world: World, header: Bool) {
    guard let file = world.storage.names[name] else { return }
    for index in (header ? 0 : 100)..<min(header ? 8_192 : file.durable.count, file.durable.count) {
      file.durable[index] = 0
    }
    file.current = file.durable
    // What is zero looks as if it had never been written.
    world.mayBeUntold = true
    note(name, world)
  }

  /// Wipes the headers of the newest segment that has a footer, or of all segments but the oldest.
  static func wipeHeaders(_ world: World, ofAll: Bool) {
    let storage = world.storage
    for file in storage.names.values { (file.durable, file.pending) = (file.current, []) }
    (storage.durableNames, storage.nameChanges) = (storage.names, [])
    guard let ring = try? Ring.open(storage.copy(), world.options) else { return }
    let names = ring.segmentFiles
    for name in ofAll ? Array(names.dropFirst()) : [ring.newestSealedFile].compactMap({ $0 }) {
      wipe(name, world, header: true)
    }
  }

  /// A segment of another ring.
  private static var foreignFile: SimulatedFile {
    let storage = SimulatedStorage(seed: 1)
    let options = RingOptions(
      size: .bytes(1 << 20 + 4 << 15), segmentByteCount: 32 << 10, minimumEpoch: 7, newRingID: 0xdead)
    let now = MonotonicTime(nanoseconds: 0)
    if let ring = try? Ring.open(storage, options), let stream = try? ring.register(World.description(0)) {
      let record = NewRecord(
        stream: stream, key: RecordKey(epoch: 7, sequence: 1), isKeyframe: true, captureTime: 0, metadata: [])
      while ring.append(record, payload: [], now: now) == .notNow { ring.flush(now: now) }
      ring.flush(now: now)
    }
    return storage.names["segment-00000"]?.copy() ?? SimulatedFile()
  }
}
