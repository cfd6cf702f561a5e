import DiskRing
import Glibc
import Posix
import RingSimulation

// `Toolchain/dev sim`: the whole budget. `Toolchain/dev sim SEED`: one life again, step by step. With a second number:
// all lives from the first to the second, in short. `Toolchain/dev sim SCRIPT`: one script, power cut at every call;
// with CALL and FATE, that life of it again, step by step.

let arguments = Array(CommandLine.arguments.dropFirst())
if let first = arguments.first {
  if let script = Script.all.first(where: { $0.text == first }) {
    exit(Campaign.play(script, arguments.dropFirst().compactMap { Int($0) }) ? 0 : 1)
  }
  guard let seed = UInt64(first) else {
    print("usage: sim [SEED [LAST] | SCRIPT [CALL FATE]]")
    exit(64)
  }
  if arguments.count > 1, let last = UInt64(arguments[1]), last >= seed {
    exit(Campaign.live(seed...last) ? 0 : 1)
  }
  var life = Life(seed: seed)
  life.world.isVerbose = true
  let result = life.run()
  print("seed \(seed): \(result.operationCount) operations, \(result.crashCount) power cuts")
  for (kind, count) in result.strikes.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
    print("\(kind.rawValue): \(count) times")
  }
  if let violation = result.violation { print("violation: \(violation)") }
  exit(result.violation == nil ? 0 : 1)
}
exit(Campaign().run() ? 0 : 1)
