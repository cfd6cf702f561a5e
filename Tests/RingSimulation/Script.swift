import DiskRing
import Posix

// Short lives that are written down, with power cut at every single call to the disk, also while the ring recovers from
// the cut before. One letter is one step; a number in front repeats it.
//
//   k p   append a keyframe, another frame, to the first stream        K P   to the second
//   b o   append a large record (half a segment), one that is too large
//   n c x begin the next sync, end it well, badly                      s     sync everything
//   f F   read and finish some, all of the first stream                u     finish a frame that was never stored
//   t     two seconds pass          r     the process ends, the ring is opened again
//   w W   writes begin to fail, work again                             h H   somebody wipes the headers of the newest
//         sealed segment, of all but the oldest
//   m M   the gateway is off for a moment and its card copied; the copy is put in instead of the card

package struct Script: Sendable {
  package let text: String

  package static let all: [Script] = [
    "k", "ks", "k3ps", "3pks3p", "kns", "knpc2p", "knpcnpcn", "k5pn3pc", "kKpPkKs", "kKs2p2Pn",
    "4b", "4bs", "b2ns3bs", "8bs", "12bs", "12bsFs", "k4bsftkb", "k4bsFstk", "6bsFst6bs", "kp3bKP3bs",
    "kps3pnx", "kpnxkp", "kpnx4ns3p", "k4pnxs4bs", "3bnxns3bs", "knxnxnxs", "4bs2pnxr3ps", "kpsnx2pr2bs",
    "ks2fst2f", "tksftsftsFts", "uksutsu", "ukrusFskr", "krkrkrk", "ksrksrks", "2brb2rb3r", "kpsrnrcrk",
    "wkW3ps", "kpswpWps", "4bwbbW4bs", "wnW4bsFs", "okos", "k9bs3nfF9bs", "kK8bsfrKk8bsFr", "5bstFst5bsr",
    "kpsnxns6bsh", "4bs4bsh3ps", "2psnx2ns7bshr",
    "kpsmkpsMkps", "4bsmr2bsFsM3bsr", "kps2pnxs3bsHs", "kp2snKPnxs4bsHsr", "ksuttututkttsutk", "ksFuttupctu2kr",
  ].map { Script(text: $0) }

  /// The letters with their repetitions written out.
  var steps: [Character] {
    var (steps, count): ([Character], Int) = ([], 0)
    for letter in text {
      if let digit = letter.wholeNumberValue {
        count = count * 10 + digit
      } else {
        steps += Array(repeating: letter, count: max(count, 1))
        count = 0
      }
    }
    return steps
  }

  /// Plays the script; ends early when power is cut.
  func play(_ world: World) throws {
    try world.openOrCrash()
    for step in steps where !world.storage.hasCrashed {
      try take(step, world)
      if !world.storage.hasCrashed { try world.checkStep() }
    }
  }

  private func take(_ step: Character, _ world: World) throws {
    switch step {
    case "k", "p": try world.append(0, isKeyframe: step == "k", byteCount: 700)
    case "K", "P": try world.append(1, isKeyframe: step == "K", byteCount: 900)
    case "b": try world.append(0, isKeyframe: true, byteCount: world.shape.segmentByteCount / 3)
    case "o": try world.append(0, isKeyframe: true, byteCount: world.shape.segmentByteCount)
    case "n": try world.beginSync(flush: true)
    case "c", "x": try world.endSync(fails: step == "x")
    case "s": try world.flush()
    case "f": try world.consume(0, limit: 2)
    case "F": try world.consume(0, limit: 1_000)
    case "u": world.finishUnstored(0)
    case "t": world.now = world.now + .seconds(2)
    case "r":
      world.end(losingPower: false)
      try world.openOrCrash()
    case "w": world.storage.faults.writeFails = 700
    case "W": world.storage.faults.writeFails = 0
    case "h", "H":
      world.end(losingPower: false)
      Hands.wipeHeaders(world, ofAll: step == "H")
      try world.openOrCrash()
    case "m": try world.copyCard()
    case "M": try world.putCopyIn()
    default: preconditionFailure("no step '\(step)'")
    }
    // After a sync that failed, what waits is written again as soon as the ring takes it.
    if "nxs".contains(step) { try world.drain() }
  }

  /// Cuts the power at every call, with `fates` different outcomes each; after every `nested`-th, also at every call of
  /// the recovery. Returns how many lives that were.
  package func cutEverywhere(
    fates: Int, nested: Int, defects: RingDefects = [], counting cases: inout [RecoveryCase: Int]
  ) throws -> Int {
    let callCount = try calls(cutAt: nil, fate: 0, defects: defects, &cases)
    var lives = 0
    for call in 1...(callCount + 1) {
      for fate in 0..<fates {
        _ = try calls(cutAt: call, fate: fate, defects: defects, &cases)
        lives += 1
      }
      guard call % nested == 0 else { continue }
      var second = 1
      while try recoveryCut(first: call, second: second, defects: defects, &cases) {
        (second, lives) = (second + 1, lives + 1)
      }
    }
    return lives
  }

  private func world(_ seed: Int, _ defects: RingDefects) -> World {
    var shape = World.Shape()
    (shape.segmentCount, shape.defects) = (4, defects)
    return World(seed: UInt64(seed), shape: shape)
  }

  /// Plays, cuts the power at a call, recovers and goes on for a bit. Returns how many calls there were.
  private func calls(
    cutAt call: Int?, fate: Int, defects: RingDefects, isVerbose: Bool = false, _ cases: inout [RecoveryCase: Int]
  ) throws -> Int {
    let world = world(fate + 1, defects)
    world.isVerbose = isVerbose
    defer { cases.merge(world.caseCounts, uniquingKeysWith: +) }
    world.storage.cutsAtTotal = call
    do {
      try play(world)
      let count = world.storage.totalCallCount
      world.storage.cutsAtTotal = nil
      world.end(losingPower: true)
      try goOn(world)
      return count
    } catch let violation as Violation {
      throw Violation("script \(text), power cut at call \(call ?? 0), fate \(fate): \(violation)")
    }
  }

  /// One life of `cutEverywhere`, step by step; what was violated, nil when nothing was.
  package func replay(cutAt call: Int, fate: Int) -> String? {
    var cases: [RecoveryCase: Int] = [:]
    do { _ = try calls(cutAt: call, fate: fate, defects: [], isVerbose: true, &cases) } catch { return "\(error)" }
    return nil
  }

  /// Like that, and once more while recovering; false when the recovery had fewer calls.
  private func recoveryCut(
    first: Int, second: Int, defects: RingDefects, _ cases: inout [RecoveryCase: Int]
  ) throws -> Bool {
    let world = world(first, defects)
    defer { cases.merge(world.caseCounts, uniquingKeysWith: +) }
    world.storage.cutsAtTotal = first
    do {
      try play(world)
      world.storage.cutsAtTotal = nil
      world.end(losingPower: true)
      world.storage.crashCall = second
      try world.openOrCrash()
      let wasCut = world.storage.hasCrashed
      world.end(losingPower: true)
      try goOn(world)
      return wasCut
    } catch let violation as Violation {
      throw Violation("script \(text), power cut at call \(first), then at \(second) of recovery: \(violation)")
    }
  }

  private func goOn(_ world: World) throws {
    try world.openOrCrash()
    try world.append(0, isKeyframe: true, byteCount: 300)
    try world.flush()
    try world.flush()
    try world.checkAll()
    world.end(losingPower: true)
    try world.openOrCrash()
  }
}

extension World {
  /// Opens the ring; that power is cut meanwhile is no violation.
  func openOrCrash() throws {
    do { try open() } catch let error as RingError {
      if !storage.hasCrashed { throw Violation("the ring does not open: \(error)") }
    } catch {
      if !storage.hasCrashed { throw error }
    }
  }
}
