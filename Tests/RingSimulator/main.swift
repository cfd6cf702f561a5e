import DiskRing
import Glibc
import Posix
import RingSimulation

// `Toolchain/dev sim [SEED]`: the whole budget, or one seed again.

var arguments = CommandLine.arguments.dropFirst()
if let text = arguments.first, let seed = UInt64(text) {
  var life = Life(seed: seed)
  life.world.isVerbose = arguments.count > 1
  let result = life.run()
  print("seed \(seed): \(result.operationCount) operations, \(result.crashCount) crashes")
  if let violation = result.violation { print("violation: \(violation)") }
  exit(result.violation == nil ? 0 : 1)
}
let count = UInt64(arguments.first.flatMap { $0.hasPrefix("n") ? UInt64($0.dropFirst()) : nil } ?? 10_000)
var cases: [RecoveryCase: Int] = [:]
var failures = 0
for seed in 1...count {
  var life = Life(seed: seed)
  let result = life.run()
  cases.merge(result.caseCounts, uniquingKeysWith: +)
  if let violation = result.violation {
    print("seed \(seed): \(violation)")
    failures += 1
    if failures > 20 { break }
  }
}
for name in RecoveryCase.allCases { print("\(name): \(cases[name] ?? 0)") }
print("failures: \(failures)")
