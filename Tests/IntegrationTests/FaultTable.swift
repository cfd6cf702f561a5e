import Frames
import Posix

@testable import Capture

/// One row: what a camera sends, what Camgate must make of it.
struct Fault: Sendable {
  /// The dialogue of Tests/Fixtures/rtsp, which says what is sent.
  var dialogue: String
  var transport: CameraDescription.RTSPTransport = .tcp
  /// What Camgate must do, in words, for the table.
  var must: String
  /// The holes that the frames must speak of, one after another; nil: holes of the network, at least
  /// `leastHoleCount`.
  var gaps: [Gap.Reason]? = []
  var leastHoleCount = 1
  /// How many frames must come behind the last of them.
  var frames = 45
  /// What the log must say.
  var says: [String] = []
  /// How long it may take, in words for the table; nil: as it follows from what has to be done.
  var allowed: String?
  /// Only with the patches of the pinned FFmpeg (Toolchain/cross/patches).
  var isPinnedOnly = false
  /// What else must be true of what came.
  var check: @Sendable (WatchedCamera.Record) -> [String] = { _ in [] }
}

/// All faults that the scripted cameras play; the ones that need other servers have tests of their own.
let faultTable: [Fault] = {
  let all =
    faultsOfStreams + faultsOfConnections + faultsOfDialogues + silences + faultsOfTransports
    + faultsOfPackets + faultsOfSessions + faultsOfSetup
  return all.filter { ffmpegMarksGaps || !$0.isPinnedOnly }
}()

private let faultsOfStreams: [Fault] = [
  Fault(dialogue: "steady", must: "miss nothing", frames: 90, check: clock(.camera)),
  Fault(dialogue: "no-reports", must: "date by arrival", check: clock(.gateway)),
  Fault(dialogue: "clock-ahead", must: "believe the camera", check: clock(.camera)),
  Fault(dialogue: "clock-an-hour-late", must: "date by arrival", check: clock(.gateway, isOurs: true)),
  Fault(dialogue: "clock-of-1970", must: "date by arrival", check: clock(.gateway, isOurs: true)),
  Fault(dialogue: "sets-in-sdp", must: "put them in front of every keyframe", frames: 90),
  Fault(dialogue: "sets-in-sdp-h265", must: "put them in front of every keyframe", frames: 90),
  Fault(dialogue: "switch", must: "take the new size at the keyframe") { record in
    let sizes = record.seen.map { "\($0.frame.width)x\($0.frame.height)" }
    let changes = zip(sizes, sizes.dropFirst()).count { $0 != $1 }
    return sizes.first == "640x480" && sizes.last == "320x240" && changes == 1 ? [] : ["sizes: \(Set(sizes))"]
  },
  Fault(
    dialogue: "wrap", must: "count media time on", frames: 90, check: steps { $0 == 33_333_333 || $0 == 33_333_334 }),
  // FFmpeg takes a first time of zero for none (rtpdec.c, finalize_packet) and begins with the second.
  Fault(dialogue: "time-zero", must: "begin there", frames: 60, check: steps { $0 == 0 || $0 / 1_000_000 == 33 }),
  Fault(dialogue: "jump-forward", must: "go on, media time jumps", frames: 90, check: jumps(to: 600)),
  Fault(dialogue: "jump-back", must: "go on, media time too", frames: 90, check: jumps(to: nil)),
  Fault(dialogue: "thirteen-hours", must: "count media time on beyond 32 bits", frames: 90) { record in
    let span = (record.seen.last?.frame.pts ?? 0) - (record.seen.first?.frame.pts ?? 0)
    // Three jumps of 2,147,000,000 ticks of 90 kHz.
    return (71_566_666_000_000...71_576_000_000_000).contains(span) ? [] : ["media time went on by \(span) ns"]
  },
  Fault(dialogue: "claims-25", must: "date by the camera's clock, not by its count", frames: 150, check: datedBy21),
  Fault(dialogue: "short-session", must: "ask for something in time", frames: 300),
  Fault(dialogue: "two-tracks", must: "ignore the other track", frames: 90),
  Fault(dialogue: "starts-late", must: "begin there, without a hole", check: startsAt(100.5)),
  Fault(
    dialogue: "long-gop", must: "drop up to the keyframe ten seconds later", gaps: [.network], frames: 20,
    allowed: "10 s"),
]

/// RTP that contradicts itself, and Motion JPEG where RTP has no room for it.
private let faultsOfPackets: [Fault] = [
  Fault(dialogue: "first-slice-missing", must: "begin with the next keyframe", frames: 60),
  Fault(dialogue: "doubled", transport: .udp, must: "miss nothing", frames: 90, isPinnedOnly: true),
  Fault(dialogue: "tiny-packets", must: "pass over them", frames: 90, isPinnedOnly: true),
  Fault(dialogue: "extension-too-long", must: "drop up to the next keyframe", gaps: [.network], isPinnedOnly: true),
  Fault(dialogue: "padding-too-long", must: "drop up to the next keyframe", gaps: [.network], isPinnedOnly: true),
  Fault(dialogue: "named-twice", must: "take what is named last", frames: 90),
  Fault(dialogue: "real-data", must: "take RTP all the same", frames: 90, isPinnedOnly: true),
  Fault(dialogue: "huge-once", must: "drop it, up to the next keyframe", gaps: [.limited]),
  Fault(dialogue: "jpeg", must: "miss nothing", check: size("640x480")),
  Fault(dialogue: "jpeg-modulo", must: "take the description's size", isPinnedOnly: true, check: size("2560x64")),
  Fault(dialogue: "jpeg-size-sdp", must: "take the description's size", isPinnedOnly: true, check: size("2560x64")),
  Fault(dialogue: "jpeg-size-extension", must: "take the extension's size", isPinnedOnly: true, check: size("2560x64")),
  Fault(dialogue: "jpeg-tables-once", must: "keep the tables", isPinnedOnly: true, check: size("640x480")),
  Fault(
    dialogue: "jpeg-no-marker", must: "end a picture where the next begins", isPinnedOnly: true, check: size("640x480")),
]

/// The size of every frame.
private func size(_ expected: String) -> @Sendable (WatchedCamera.Record) -> [String] {
  { record in
    let sizes = Set(record.seen.map { "\($0.frame.width)x\($0.frame.height)" })
    return sizes == [expected] ? [] : ["sizes: \(sizes)"]
  }
}

private let faultsOfConnections: [Fault] = [
  Fault(dialogue: "teardown", must: "connect again", gaps: [.camera]),
  Fault(dialogue: "bye", must: "connect again", gaps: [.camera]),
  Fault(dialogue: "ends", must: "connect again", gaps: [.camera]),
  Fault(dialogue: "breaks", must: "not pass on half a frame, connect again", gaps: [.camera]),
  Fault(dialogue: "breaks-in-keyframe", must: "not pass on half a frame, connect again", gaps: [.camera]),
  Fault(dialogue: "breaks-h265", must: "not pass on half a frame, connect again", gaps: [.camera]),
  Fault(dialogue: "reset", must: "not pass on half a frame, connect again", gaps: [.camera]),
  Fault(dialogue: "sequence-restarts", must: "notice and connect again", gaps: [.camera]),
  Fault(
    dialogue: "stall", must: "notice and connect again", gaps: [.camera], says: ["no frame for"]),
  Fault(dialogue: "freeze", must: "notice, say goodbye, connect again", gaps: [.camera], says: ["no frame for"]),
  Fault(dialogue: "lost-inside", must: "drop up to the next keyframe", gaps: [.network]),
  Fault(dialogue: "lost-in-keyframe", must: "drop up to the next keyframe", gaps: [.network]),
  // The pinned FFmpeg passes over a packet that is too short; a distribution's swallows a part of the next.
  Fault(
    dialogue: "truncated", must: "miss no more than it swallowed, up to a keyframe",
    gaps: ffmpegMarksGaps ? [] : [.network]),
  Fault(dialogue: "garbage", must: "drop what it swallowed, up to a keyframe", gaps: [.network]),
  Fault(dialogue: "line", must: "pass over it", frames: 90),
  Fault(dialogue: "channel", must: "pass over it, and miss that frame", frames: 90),
  Fault(dialogue: "report-as-video", must: "pass over it", frames: 90),
  Fault(
    dialogue: "slow", must: "learn how slow it is", gaps: [.camera], frames: 3,
    says: ["no second frame for 5 s: slower than timeouts.next_frame"], allowed: "one gap"),
  Fault(
    dialogue: "slow-h264", must: "learn how slow it is", frames: 3,
    says: [silence("packets come, but no whole picture (h264)")]),
  Fault(dialogue: "endless-line", must: "give it up, in bounded memory", gaps: [.camera]),
  Fault(dialogue: "endless-frame", must: "give it up, in bounded memory", gaps: [.camera]),
]

/// Cameras that let Camgate in and show nothing: each silence has its own words.
private let silences: [Fault] = [
  Fault(dialogue: "mute", must: "say it", frames: 0, says: [silence("no byte came") + "; retry"]),
  Fault(
    dialogue: "mute", transport: .udp, must: "say it", frames: 0,
    says: [silence("no packet came over UDP (a firewall? try transport: tcp)")]),
  Fault(dialogue: "only-reports", must: "say it", frames: 0, says: [silence("only reports (RTCP) come, no picture")]),
  Fault(
    dialogue: "other-payload", must: "say it", frames: 0,
    says: [
      silence("packets come, but none of the picture's track (another channel or payload type than the camera said)")
    ]),
  Fault(
    dialogue: "no-picture", must: "say it, and what FFmpeg says", frames: 0,
    says: [silence("packets come, but no whole picture (h264 640x480)") + "; FFmpeg says: "]),
  Fault(
    dialogue: "no-keyframe", must: "wait, then say it", frames: 0,
    says: ["pictures come, but no keyframe for 60 s: lower the camera's keyframe interval"]),
  Fault(
    dialogue: "no-sets", must: "say that nobody can decode it", frames: 0,
    says: ["keyframes come that nobody can decode (h264)"]),
]

/// What is said of eight seconds without a picture: the distribution's FFmpeg does not count what comes.
private func silence(_ words: String) -> String {
  (ffmpegMarksGaps ? words : "no picture") + " for 8 s (timeouts.first_frame)"
}

/// Sessions, and what keeps them.
private let faultsOfSessions: [Fault] = [
  Fault(
    dialogue: "kept-by-get-parameter", must: "find what keeps it", gaps: [.camera, .camera], frames: 400,
    says: [
      "as its sessions do (6 s): kept with GET_PARAMETER from the next one on",
      "GET_PARAMETER keeps its sessions",
    ], allowed: "two gaps", isPinnedOnly: true),
  Fault(
    dialogue: "dies-of-get-parameter", must: "find what keeps it", gaps: [.camera, .camera], frames: 400,
    says: [
      "as its sessions do (6 s): kept with OPTIONS from the next one on",
      "OPTIONS keeps its sessions",
    ], allowed: "two gaps", isPinnedOnly: true),
  Fault(dialogue: "reports-wanted", transport: .udp, must: "send them", frames: 30, isPinnedOnly: true),
  Fault(
    dialogue: "slow-session", must: "keep it between two pictures", gaps: [.camera], frames: 3, allowed: "one gap",
    isPinnedOnly: true),
  Fault(dialogue: "session-of-setup", must: "take the session of SETUP", isPinnedOnly: true),
  byDigest("digest-sha256"),
  Fault(dialogue: "digest-sha256-first", must: "log in"),
  byDigest("digest-md5-first"),
]

/// A login that FFmpeg stumbles over as distributions have it.
private func byDigest(_ dialogue: String) -> Fault {
  Fault(
    dialogue: dialogue, must: ffmpegMarksGaps ? "log in" : "say that it cannot log in",
    frames: ffmpegMarksGaps ? 45 : 0,
    says: ffmpegMarksGaps ? [] : ["the camera asks for Digest with SHA-256, which the FFmpeg this camgate is linked"])
}

/// What cameras answer to SETUP.
private let faultsOfSetup: [Fault] = [
  // Another FFmpeg misses the reports.
  Fault(
    dialogue: "transport-bare", must: "take what was asked for", frames: 90,
    check: clock(ffmpegMarksGaps ? .camera : .gateway)),
  Fault(dialogue: "transport-none", must: "take what was asked for", frames: 90, isPinnedOnly: true),
  Fault(
    dialogue: "transport-channels", must: "take these channels", frames: 90, isPinnedOnly: true, check: clock(.camera)),
  Fault(
    dialogue: "other-channel", must: "take that channel, and say it", frames: 90,
    says: ["packets come on channel 2, not 0"], isPinnedOnly: true, check: clock(.camera)),
  Fault(dialogue: "two-videos", must: "set up one", frames: 90, isPinnedOnly: true),
  Fault(
    dialogue: "wants-all", transport: .udp, must: "ask for all tracks", frames: 90,
    says: ["no packet came over UDP: all tracks are asked for next"]),
]

private let faultsOfDialogues: [Fault] = [
  Fault(dialogue: "silent", must: "give it up in time, try again", says: ["no answer in time"]),
  Fault(dialogue: "half-answer", must: "give it up, try again", says: ["retry in"]),
  Fault(dialogue: "hangs-up", must: "try again soon", says: ["retry in"]),
  Fault(dialogue: "login", must: "log in"),
  Fault(dialogue: "login-mended", must: "say it, try again slowly", says: ["401 Unauthorized"]),
  Fault(dialogue: "not-there-yet", must: "say it, try again slowly", says: ["404 Not Found"]),
  Fault(dialogue: "nonsense-sdp", must: "say it, try again", says: ["video", "retry in"]),
  Fault(dialogue: "endless-answer", must: "give it up, in bounded memory", says: ["no answer in time"]),
  Fault(dialogue: "endless-description", must: "give it up, in bounded memory", says: ["retry in"]),
  Fault(dialogue: "redirect", must: "follow"),
  Fault(
    dialogue: "redirect-elsewhere", must: "refuse, the login stays here", frames: 0, says: ["another host (localhost)"]),
  Fault(dialogue: "redirect-loop", must: "stop following", frames: 0, says: ["redirects in circles"]),
]

private let faultsOfTransports: [Fault] = [
  Fault(dialogue: "loss-1", transport: .udp, must: "drop up to the next keyframe", gaps: nil, frames: 10),
  Fault(dialogue: "loss-10", transport: .udp, must: "drop up to the next keyframe", gaps: nil, frames: 1),
  // FFmpeg waits 100 ms for what is late, and a busy machine may take longer; each of the swaps would make a hole.
  Fault(
    dialogue: "reordered", transport: .udp, must: "put them in order", gaps: nil, leastHoleCount: 0, frames: 90),
  Fault(dialogue: "tcp-only", transport: .auto, must: "take TCP instead", says: ["using TCP"]),
  Fault(
    dialogue: "tcp-only", transport: .udp, must: "say what to set", frames: 0,
    says: ["does not offer RTP over UDP", "set transport: tcp"]),
  Fault(
    dialogue: "udp-only", must: "say what to set", frames: 0,
    says: ["does not offer RTP over TCP", "set transport: udp"]),
  Fault(
    dialogue: "udp-only-400", must: "say what to try", frames: 0,
    says: ["400 Bad Request", "it may not offer RTP over TCP: try transport: udp"]),
  Fault(dialogue: "lossy", transport: .auto, must: "take TCP instead", gaps: nil, frames: 200, says: ["using TCP"]),
  Fault(dialogue: "injected", transport: .udp, must: "not take them", frames: 90),
  Fault(dialogue: "source", transport: .udp, must: "take them", frames: 90),
  Fault(dialogue: "source-far", transport: .udp, must: "take them from the camera", frames: 90, isPinnedOnly: true),
  Fault(
    dialogue: "from-elsewhere", transport: .udp, must: "not take them, and say why", frames: 0,
    says: ffmpegMarksGaps ? ["no answer in time", "127.0.0.3"] : ["no picture for"]),
]

/// The last frame dated by this clock; `isOurs`: by this machine's, not by one that is an hour or more off.
private func clock(
  _ quality: ClockQuality, isOurs: Bool = false
) -> @Sendable (WatchedCamera.Record) -> [String] {
  { record in
    guard let last = record.seen.last else { return ["no frame"] }
    // A machine whose clock nobody set dates by an unsynchronised one.
    let expected = quality == .gateway && !WallClock.isSynchronized() ? .unsynced : quality
    var complaints = last.frame.clock == expected ? [] : ["clock: \(last.frame.clock), expected \(expected)"]
    let offset =
      Double(last.frame.captureTime - WallClock.nanosecondsSince1970()) / 1e9
      + (MonotonicTime.now() - last.time).inSeconds
    if isOurs && abs(offset) > 1_800 { complaints.append("dated \(offset) s ahead") }
    return complaints
  }
}

/// The steps from one presentation time to the next, nanoseconds.
private func steps(_ isGood: @escaping @Sendable (Int64) -> Bool) -> @Sendable (WatchedCamera.Record) -> [String] {
  { record in
    let steps = zip(record.seen, record.seen.dropFirst()).map { $1.frame.pts - $0.frame.pts }
    return steps.filter { !isGood($0) }.map { "media time stepped by \($0) ns" }
  }
}

/// One step of media time is that of the jump, seconds, or (nil) the time that passed here; the others are a frame's.
private func jumps(to seconds: Int64?) -> @Sendable (WatchedCamera.Record) -> [String] {
  { record in
    let steps = zip(record.seen, record.seen.dropFirst()).map { before, after in
      (after.frame.pts - before.frame.pts, here: (after.frame.bootTime ?? 0) - (before.frame.bootTime ?? 0))
    }
    let jumps = steps.filter { !(33_000_000...34_000_000).contains($0.0) }
    if let seconds {
      return jumps.count == 1 && abs(jumps[0].0 - seconds * 1_000_000_000) < 100_000_000 ? [] : ["jumps: \(jumps)"]
    }
    // The step may by chance be as long as a frame's.
    return jumps.count <= 1 && jumps.allSatisfy { $0.0 == $0.here } ? [] : ["jumps: \(jumps)"]
  }
}

/// By capture time 21 frames a second, whatever the media time claims; reports come each second, so a sixth may be off.
private let datedBy21: @Sendable (WatchedCamera.Record) -> [String] = { record in
  guard let first = record.seen.first?.frame, let last = record.seen.last?.frame else { return ["no frame"] }
  let passed = Double(record.seen.count - 1) / 21
  let dated = Double(last.captureTime - first.captureTime) / 1e9
  var complaints = clock(.camera)(record)
  if abs(passed - dated) > 0.3 { complaints.append("\(passed) s passed, dated as \(dated) s") }
  return complaints
}

/// The first presentation time, seconds, and no hole behind it.
private func startsAt(_ seconds: Double) -> @Sendable (WatchedCamera.Record) -> [String] {
  { record in
    let times = record.seen.prefix(10).map { Double($0.frame.pts) / 1e9 }
    return times.allSatisfy { abs($0 - seconds) < 0.6 } && times.count == 10 ? [] : ["media time begins with \(times)"]
  }
}
