import DiskRing
import Glibc
import Posix

// A random life of a ring, drawn from a seed: appends, syncs, reads, crashes, faults, rot, and hands that touch files.

package struct LifeResult: Sendable {
  package var seed: UInt64
  package var operationCount = 0
  package var crashCount = 0
  package var caseCounts: [RecoveryCase: Int] = [:]
  package var strikes: [FaultKind: Int] = [:]
  /// What was broken; nil when nothing was.
  package var violation: String?
}

/// One life.
package struct Life {
  package let world: World
  let seed: UInt64
  private var random: SeededRandom
  private var crashCount = 0
  /// Whether bits rot and files are touched in this life.
  private let isRough: Bool
  /// Whether writes and syncs fail.
  private let isFaulty: Bool
  /// Whether reads fail for a while.
  private let hasBadReads: Bool
  /// Whether the cursor's file wears out. Drawn apart, so that it changes no other life.
  private let hasBadCursor: Bool
  /// Whether all syncs, or all writes, fail for a while.
  private let hasBadDisk: Bool
  /// Whether files cannot be looked at while the ring is opened.
  private let hasBadOpens: Bool
  private var mischief: SeededRandom
  private let length: Int

  package init(seed: UInt64, defects: RingDefects = []) {
    self.seed = seed
    random = SeededRandom(seed: SeededRandom.mixed(seed &+ 0xabcd))
    var shape = World.Shape()
    shape.segmentByteCount = random.chance(50) ? 32 << 10 : 48 << 10
    shape.segmentCount = 4 + random.below(4)
    shape.streamCount = 1 + random.below(3)
    shape.defects = defects
    world = World(seed: seed, shape: shape)
    isRough = random.chance(40)
    isFaulty = random.chance(30)
    hasBadReads = random.chance(30)
    mischief = SeededRandom(seed: SeededRandom.mixed(seed &+ 0x1357))
    hasBadCursor = mischief.chance(20)
    hasBadDisk = mischief.chance(25)
    hasBadOpens = mischief.chance(25)
    length = 150 + random.below(150)
  }

  package mutating func run() -> LifeResult {
    var result = LifeResult(seed: seed)
    do {
      try world.open()
      while result.operationCount < length {
        result.operationCount += 1
        try step()
        try world.checkStep()
      }
      try end()
    } catch {
      result.violation =
        "\(error) (operation \(result.operationCount)\(isRough ? ", rough" : "")\(isFaulty ? ", faulty" : ""))"
    }
    result.crashCount = crashCount
    result.strikes = world.storage.strikes
    result.caseCounts = world.caseCounts
    return result
  }

  private mutating func step() throws {
    world.now = world.now + .milliseconds(Int64(random.below(400)))
    world.ring?.retry(now: world.now)
    let stream = random.below(world.models.count)
    switch random.below(1_000) {
    case ..<520: try append(stream)
    case ..<680: try world.beginSync(flush: false)
    case ..<800: try world.endSync(fails: isFaulty && random.chance(8))
    case ..<880: try world.consume(stream, limit: 1 + random.below(12))
    case ..<890: try world.consume(stream, limit: 1_000)
    case ..<905: world.finishUnstored(stream)
    case ..<925: try world.flush()
    case ..<965: try crash()
    case ..<975: try reopen(losingPower: false)
    case ..<980: if isFaulty { startFaults() }
    case ..<985: if hasBadReads { try changeReads() }
    default: if isRough { try rot() }
    }
    if hasBadCursor, mischief.chance(4) { try world.wearCursorOut() }
    if hasBadDisk, mischief.chance(2) { breakDisk() }
    // Meanwhile life goes on with what is there.
    if world.ring?.degraded != nil, mischief.chance(10) {
      if mischief.chance(50) { try world.recover() } else { try reopen(losingPower: false) }
    }
  }

  /// From now on no sync works, or no write, until all faults end.
  private mutating func breakDisk() {
    guard world.ring != nil, world.storage.faults.syncFails == 0 else { return }
    if mischief.chance(70) {
      world.say("no sync works any more")
      world.storage.faults.syncFails = 1_000
    } else {
      world.say("no write works any more")
      (world.storage.faults.writeFails, world.storage.faults.code) = (1_000, mischief.chance(50) ? ENOSPC : EIO)
    }
  }

  private mutating func append(_ stream: Int) throws {
    guard world.queue.count < 30 else { return }
    let isKeyframe = random.chance(20)
    let byteCount =
      random.chance(3) ? random.below(40_000) : isKeyframe ? 500 + random.below(3_000) : random.below(1_200)
    try world.append(stream, isKeyframe: isKeyframe, byteCount: byteCount)
  }

  private mutating func startFaults() {
    world.storage.faults.writeIsShort = random.below(100)
    if random.chance(50) { world.storage.faults.writeFails = random.below(30) }
    world.storage.faults.code = random.chance(50) ? EIO : ENOSPC
  }

  /// Reads begin to fail, all or some of them, or work again.
  private mutating func changeReads() throws {
    let faults = world.storage.faults
    if faults.readFails > 0 || faults.readGarbles > 0 { return try world.recover() }
    world.say("reads begin to fail")
    switch random.below(3) {
    case 0: world.storage.faults.readFails = 1_000
    case 1: world.storage.faults.readFails = 100 + random.below(600)
    default: world.storage.faults.readGarbles = 100 + random.below(400)
    }
  }

  /// Power is cut: now, or at one of the next calls, whatever runs then.
  private mutating func crash() throws {
    if random.chance(60) {
      world.storage.crashCall = world.storage.callCount + 1 + random.below(20)
      for _ in 0..<20 where !world.storage.hasCrashed {
        switch random.below(3) {
        case 0: try append(random.below(world.models.count))
        case 1: try world.beginSync(flush: random.chance(30))
        default: try world.endSync(fails: false)
        }
      }
    }
    try reopen(losingPower: true)
  }

  private mutating func reopen(losingPower: Bool) throws {
    crashCount += losingPower ? 1 : 0
    world.end(losingPower: losingPower)
    if isRough, random.chance(30) { Hands.touch(world, &random) }
    if random.chance(10) { world.segmentCount = 4 + random.below(5) }
    if random.chance(10) { try compareRecoveries() }
    if hasBadOpens, !isRough, mischief.chance(40) { world.loseSector(&mischief) }
    while hasBadOpens, mischief.chance(40) { try world.openBadly(&mischief) }
    // Power may be cut while the ring recovers, again and again.
    while random.chance(30) {
      world.storage.crashCall = 1 + random.below(80)
      try world.openOrCrash()
      if !world.storage.hasCrashed {
        world.storage.crashCall = nil
        return
      }
      world.end(losingPower: true)
    }
    try world.openOrCrash()
  }

  /// Recovering twice gives what recovering once gives.
  private func compareRecoveries() throws {
    let disk = world.storage.copy()
    var walks: [[String]] = []
    for _ in 0..<2 {
      guard let ring = try? Ring.open(disk, world.options) else { return }
      walks.append(ring.inventory.map { "\($0.description) \($0.recordCount) \($0.cursor) \($0.last.key)" })
      disk.endProcess()
    }
    if walks[0] != walks[1] { throw Violation("recovered once: \(walks[0]), twice: \(walks[1])") }
  }

  private mutating func rot() throws {
    Hands.flip(world, &random)
    try world.checkAll()
  }

  /// Everything is read, finished and written down; a last crash must leave nothing to be sent again.
  private mutating func end() throws {
    try world.recover()
    for _ in 0..<4 {
      try world.flush()
      world.now = world.now + .seconds(2)
    }
    try reopen(losingPower: true)
    try world.checkAll()
  }
}
