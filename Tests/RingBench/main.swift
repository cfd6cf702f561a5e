import DiskRing
import Glibc
import Posix

// The numbers behind `Toolchain/dev bench ring`; each command prints one line of JSON.
//
//   append DIR SECONDS-FREE: the ring, beside a bare loop with the same pieces and the same sync points, no checksum
//   fill DIR MIB   makes a ring of that size, full, with a half-full open segment
//   open DIR       opens it once
//   fill-large DIR SEGMENTS MIB   makes a ring of so many segments of that size, without blocks for its zeros
//   open-large DIR SEGMENTS MIB   opens it once, and asks it for records
//
// and one that measures nothing:
//
//   sample DIR     writes a ring that has the same bytes on every machine (Toolchain/dev test --arm compares)

let arguments = CommandLine.arguments.dropFirst()
let options = { (mebibytes: Int) in
  RingOptions(size: .bytes(mebibytes << 20), minimumEpoch: 1)
}
switch arguments.first {
case "append" where arguments.count == 2: try AppendBench(directory: arguments[2]).run()
case "fill" where arguments.count == 3: try fill(arguments[2], mebibytes: Int(arguments[3]) ?? 256)
case "open" where arguments.count == 3: try measureOpening(arguments[2], mebibytes: Int(arguments[3]) ?? 256)
case "fill-large" where arguments.count == 4: try largeBench().fill()
case "open-large" where arguments.count == 4: try largeBench().open()
case "sample" where arguments.count == 2: try writeSample(arguments[2])
default:
  let usage =
    "usage: RingBench append DIR | fill DIR MIB | open DIR MIB | fill-large DIR SEGMENTS MIB "
    + "| open-large DIR SEGMENTS MIB | sample DIR\n"
  try Files.write(Array(usage.utf8), to: STDERR_FILENO)
  exit(64)
}

func largeBench() -> LargeBench {
  LargeBench(
    path: arguments[2], segmentCount: Int(arguments[3]) ?? 64, segmentByteCount: (Int(arguments[4]) ?? 4) << 20)
}

/// Fills a ring to its last segment but a half.
func fill(_ path: String, mebibytes: Int) throws {
  let ring = try Ring.open(try PosixStorage(path: path), options(mebibytes))
  let stream = try ring.register(StreamDescription(name: "gate", topic: "cameras"))
  let payload = [UInt8](repeating: 0x5a, count: 64 << 10)
  let half = ring.segmentByteCount / 2
  let count = (ring.byteCount - (1 << 20) - half) / (payload.count + 128)
  for sequence in 1...count { try append(ring, stream, sequence, payload) }
  ring.flush(now: .now())
  ring.close()
}

func append(_ ring: Ring, _ stream: StreamID, _ sequence: Int, _ payload: [UInt8]) throws {
  let record = NewRecord(
    stream: stream, key: RecordKey(epoch: ring.epoch, sequence: UInt64(sequence)), isKeyframe: sequence % 30 == 1,
    captureTime: Int64(sequence), metadata: [UInt8](repeating: 7, count: 60))
  while true {
    switch payload.withUnsafeBytes({ ring.append(record, payload: [$0], now: .now()) }) {
    case .written: return syncWhenDue(ring)
    case .notNow: ring.flush(now: .now())
    default: fatalError("the ring takes no records")
    }
  }
}

func syncWhenDue(_ ring: Ring) {
  while let request = ring.nextSync(now: .now()) { ring.performSync(request) }
}

func measureOpening(_ path: String, mebibytes: Int) throws {
  let started = MonotonicTime.now()
  let ring = try Ring.open(try PosixStorage(path: path), options(mebibytes))
  let seconds = (MonotonicTime.now() - started).inSeconds
  var line = JSONObject()
  line.add("seconds", seconds)
  line.add("records", ring.inventory.reduce(0) { $0 + $1.recordCount })
  print(line.text)
  ring.close()
}
