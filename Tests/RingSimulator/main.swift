import DiskRing
import Glibc
import Posix
import RingSimulation

// `Toolchain/dev sim`: the whole budget. `Toolchain/dev sim SEED`: one life again, step by step.

let arguments = Array(CommandLine.arguments.dropFirst())
if let first = arguments.first {
  guard let seed = UInt64(first) else {
    print("usage: sim [SEED]")
    exit(64)
  }
  var life = Life(seed: seed)
  life.world.isVerbose = true
  let result = life.run()
  print("seed \(seed): \(result.operationCount) operations, \(result.crashCount) power cuts")
  if let violation = result.violation { print("violation: \(violation)") }
  exit(result.violation == nil ? 0 : 1)
}
exit(Campaign().run() ? 0 : 1)
