import DiskRing
import Glibc
import Posix

// Openings of a ring on a disk that does not give everything: files that cannot be looked at, and one of two copies that
// cannot be read. Nothing may be destroyed for it.

extension World {
  /// Opens the ring while files cannot be looked at, or while some reads fail; then the process ends and the fault with it.
  /// Nothing may have been destroyed meanwhile.
  func openBadly(_ random: inout SeededRandom) throws {
    (ids, pendingSync, memory, queue) = ([], nil, [], [])
    openCount += 1
    let wasCutShort = wasCutShort
    let segments = storage.names.keys.filter { $0.hasPrefix("segment") && !$0.hasSuffix(".foreign") }.sorted()
    if random.chance(30) { storage.faults.readFails = 20 + random.below(200) }
    let codes = [EACCES, EMFILE, EIO]
    for name in segments where random.chance(30) { storage.shut[name] = codes[random.below(codes.count)] }
    say("opened while it cannot be read: \(storage.shut), \(storage.faults.readFails) reads of 1000 fail")
    if let ring = try? Ring.open(storage, options), !storage.hasCrashed {
      self.ring = ring
      usedEpoch = max(usedEpoch, ring.epoch)
      for stream in 0..<shape.streamCount { ids.append(try ring.register(World.description(stream))) }
      takeEvents()
      say(ring.segmentList)
    }
    // What this opening had to tell is lost.
    mayBeUntold = mayBeUntold || isRotten
    if epochHarm > 0 { epochHarm = 2 }
    end(losingPower: random.chance(50))
    // What had made room then is still not known to the model.
    self.wasCutShort = self.wasCutShort || wasCutShort
  }

  /// One of two copies cannot be read from now on, of a header or in a small file; the other one is sound.
  func loseSector(_ random: inout SeededRandom) {
    let names = storage.names.keys.filter { $0.hasPrefix("segment") || $0 == "cursor" || $0 == "superblock" }.sorted()
    guard storage.deadSector == nil, !names.isEmpty else { return }
    let name = random.chance(50) ? names[random.below(names.count)] : random.chance(50) ? "cursor" : "superblock"
    let distance = name.hasPrefix("segment") ? 4 << 10 : 64 << 10
    let place = random.below(2) * distance + random.below(random.chance(50) ? 40 : 4 << 10)
    guard isOneOfTwo(name, place) else { return }
    // Not in the middle of a write: the other copy survives a power cut.
    storage.settle(name)
    if name == "cursor" { mayLoseCursor = true }
    say("byte \(place) of \(name) cannot be read any more")
    storage.deadSector = (name, place)
  }

  /// Whether the other copy of what lies there is sound: nothing is lost when this one is zero.
  private func isOneOfTwo(_ name: String, _ place: Int) -> Bool {
    let isSegment = name.hasPrefix("segment")
    let (whole, wiped) = (storage.copy(), storage.copy())
    let start = place / (4 << 10) * (4 << 10)
    wiped.wipe(name, start..<(start + 4 << 10))
    guard let first = try? Ring.open(whole, options), let second = try? Ring.open(wiped, options) else { return false }
    if !isSegment { return second.recovery.counts[.slotFresh] == 1 && second.recovery.counts[.slotsSound] == 1 }
    return second.recovery.counts[.headersLost] == first.recovery.counts[.headersLost]
      && first.inventory.map { "\($0)" } == second.inventory.map { "\($0)" }
  }
}
