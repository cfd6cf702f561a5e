import Glibc
import Posix
import Sandboxing

// The numbers behind `Toolchain/dev bench delivery`; each command prints one line of JSON.
// A last word `sandbox` has it done in the sandbox that a gateway would have.
//
//   catch-up BROKERS DIR TOPIC   bytes a second of a backlog on disk, and of the bare loop, in turns
//   cap BROKERS DIR TOPIC        how far a capped catch-up is off its rate
//   live BROKERS DIR TOPIC       how long new frames take while a backlog goes out behind them
//   health BROKERS DIR TOPIC     from a frame in memory to its acknowledgement, and the bare loop's

let arguments = CommandLine.arguments
guard arguments.count == 5 || arguments.count == 6 && arguments[5] == "sandbox" else {
  let usage = "usage: DeliveryBench catch-up|cap|live|health BROKERS DIR TOPIC [sandbox]\n"
  try Files.write(Array(usage.utf8), to: STDERR_FILENO)
  exit(64)
}
if arguments.count == 6 {
  var rules = FileRules.ofLibraries
  rules.allow(.change, beneath: arguments[3])
  _ = Sandbox(rules, log: Log())
}
var bench = DeliveryBench(
  options: GatewayPath.Options(
    brokers: arguments[2], topic: arguments[4], directory: arguments[3], frameByteCount: 48 << 10),
  directory: arguments[3])
switch arguments[1] {
case "catch-up": try bench.catchUp()
case "cap": try bench.cap()
case "live": try bench.live()
case "health": try bench.health()
default: exit(64)
}
print(bench.line.text)
