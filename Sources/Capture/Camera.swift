import Frames
import Posix
import Synchronization

// One camera, one thread, one connection: opens its source, hands out frames, and reopens for ever. Whatever happens to
// this camera happens on this thread alone.

/// A camera that captures until it is stopped.
package final class Camera: Sendable {
  /// What the camera is doing, for people.
  package enum State: Sendable, Equatable {
    case connecting
    /// Frames flow.
    case streaming(Codec, width: Int, height: Int)
    /// The connection stands, but no frame has come since.
    case stalled(since: MonotonicTime)
    /// Between two attempts; the next one comes at `until`.
    case waiting(CaptureError, until: MonotonicTime)
    /// Stopped, or the file is at its end.
    case finished(CaptureError)

    /// For people: `connecting`, `streaming h264 640x480`, `stalled for 3 s`, `waiting 12 s: …`.
    package func summary(now: MonotonicTime) -> String {
      switch self {
      case .connecting: "connecting"
      case .streaming(let codec, let width, let height): "streaming \(codec) \(width)x\(height)"
      case .stalled(let since): "stalled for \(max(0, (now - since).components.seconds)) s"
      case .waiting(let error, let until):
        "waiting \(max(0, (until - now + .milliseconds(999)).components.seconds)) s: \(error.message)"
      case .finished(let error): error.message
      }
    }
  }

  private let description: CameraDescription
  private let interrupt: Interrupt
  private let log: Log
  private let deliver: @Sendable (Frame) -> Void
  private let video: VideoSystem
  private let encoder: @Sendable () -> (any PictureEncoder)?
  private let learnt: Mutex<Learnt>
  private let onLearning: @Sendable (Learnt) -> Void
  private let current: CurrentState
  private let opened = Mutex<SourceStream?>(nil)
  private let limited = Mutex<UInt64>(0)
  private let thread = Mutex<Thread?>(nil)
  private let memory: Mutex<Memory?>

  /// What a camera leaves to the next one of its name.
  package struct Memory: Sendable {
    fileprivate var timeline: MediaTimeline
  }

  /// `deliver` is called on the camera's thread with every frame, in decoding order. It should not block for long.
  /// `encoder` makes the JPEGs of devices that have raw pictures only; without one these are an error. `learnt` is what
  /// was found out about the camera before; `onLearning` is told on its thread when there is more, and must not block.
  /// `memory` is what the camera had that it replaces: its media time goes on from there, and its first frame tells the
  /// hole.
  package convenience init(
    _ description: CameraDescription, learnt: Learnt = Learnt(), log: Log, memory: Memory? = nil,
    encoder: @escaping @Sendable () -> (any PictureEncoder)? = { nil },
    onLearning: @escaping @Sendable (Learnt) -> Void = { _ in }, deliver: @escaping @Sendable (Frame) -> Void
  ) {
    self.init(
      description, learnt: learnt, log: log, memory: memory, encoder: encoder, video: VideoSystem(),
      onLearning: onLearning, deliver: deliver)
  }

  /// With the video devices of `video`.
  init(
    _ description: CameraDescription, learnt: Learnt = Learnt(), log: Log, memory: Memory? = nil,
    encoder: @escaping @Sendable () -> (any PictureEncoder)? = { nil }, video: VideoSystem,
    onLearning: @escaping @Sendable (Learnt) -> Void = { _ in }, deliver: @escaping @Sendable (Frame) -> Void
  ) {
    self.memory = Mutex(memory)
    (self.description, self.log, self.deliver) = (description, log, deliver)
    (self.encoder, self.video) = (encoder, video)
    self.learnt = Mutex(learnt)
    self.onLearning = onLearning
    let current = CurrentState(log: log)
    self.current = current
    interrupt = Interrupt(onQuiet: { current.stall(since: $0) })
    // A server that learnt the login may repeat it in what it answers.
    if case .rtsp(_, let login?, _, _) = description.source {
      log.secrets.register(login.password, username: login.username)
    }
  }

  package var name: CameraName { description.name }

  /// What the camera is doing right now.
  package var state: State { current.state }

  /// How long its thread has overrun the time by which it had to be back from what it does: a negative duration while it
  /// is in time, so that one that hangs (in a driver, on a disk) shows.
  package func delay(now: MonotonicTime) -> Duration {
    if case .finished = state { return .zero }
    return interrupt.delay(now: now)
  }

  /// What was not as it was asked for when the camera was last opened.
  package var warnings: [String] { opened.withLock { $0?.warnings ?? [] } }

  /// Tracks of it that are not used, e.g. "audio (aac)".
  package var ignoredTracks: [String] { opened.withLock { $0?.ignoredTracks ?? [] } }

  /// What is known about it, of earlier runs and of this one.
  package var knowledge: Learnt { learnt.withLock { $0 } }

  /// Frames that were more than its limits allow.
  package var limitedCount: UInt64 { limited.withLock { $0 } }

  /// How its pictures come, where that is a matter of choice: tcp or udp.
  package var transport: CameraDescription.RTSPTransport? { opened.withLock { $0?.transport } }

  /// What the next camera of its name goes on from, once it has ended; nil when it never had a frame.
  package var remains: Memory? { memory.withLock { $0 } }

  /// Starts capturing. Call once.
  package func start() {
    let thread = Thread.start(name: "cam-\(description.name)") { [self] in run() }
    self.thread.withLock { $0 = thread }
  }

  /// Asks the thread to end; `join` waits for it.
  package func stop() { interrupt.stop() }

  /// Does not wait any longer for the next attempt, if that is what it does.
  package func retryNow() {
    if case .waiting = state { interrupt.endPause() }
  }

  /// Waits for the thread; false when it was still busy (a name server that does not answer) at `deadline`.
  package func join(until deadline: MonotonicTime) -> Bool { thread.withLock { $0 }?.join(until: deadline) ?? true }

  private func run() {
    let notes = FFmpegNotes(log: log)
    notes.attachToThisThread()
    defer { notes.detachFromThisThread() }
    let source = makeSource(notes: notes)
    var session = CameraSession(
      supervisor: Supervisor(timeouts: description.timeouts, hasLogin: hasLogin, learnt: knowledge),
      limits: description.limits, memory: memory.withLock { $0 })
    defer { memory.withLock { $0 = session.memory } }
    if !knowledge.phrases.isEmpty { log.info("learnt earlier: \(knowledge.phrases.joined(separator: "; "))") }
    while !interrupt.isStopped {
      var error = session.capture(
        from: source, interrupt: interrupt, log: log, notes: notes, current: current, opened: note, limited: count,
        learn: learn,
        deliver: deliver)
      source.close()
      error.message = log.secrets.masked(error.message)
      let now = MonotonicTime.now()
      let isLoopless = if case .file(_, loops: false) = description.source { error.code == .ended } else { false }
      let failure = isLoopless ? CaptureError(.stopped, "the file is at its end") : error
      let action = session.supervisor.step(.failed(failure), now: now, jitter: .random(in: 0...1))
      learn(session.supervisor.learnt)
      switch action {
      case .reopen(let time):
        current.become(.waiting(error, until: time), isRepeated: session.isRepeated(error))
        interrupt.setDeadline(time)
        interrupt.pause(until: time)
        session.supervisor.beginConnecting()
      case .finish, .read:
        return current.become(.finished(failure), isRepeated: interrupt.isStopped)
      }
    }
    current.become(.finished(CaptureError(.stopped, "stopped")), isRepeated: true)
  }

  private var hasLogin: Bool {
    if case .rtsp(_, _?, _, _) = description.source { true } else { false }
  }

  private func makeSource(notes: FFmpegNotes) -> any Source {
    switch description.source {
    case .rtsp(let url, let login, let transport, let tls):
      RTSPSource(
        url: url, login: login, transport: transport, tls: tls, largestFrame: description.limits.frame,
        keepAlive: knowledge.keepAlive, onKeepAlive: learn, interrupt: interrupt, notes: notes, log: log)
    case .file(let path, let loops):
      FileSource(path: path, loops: loops, interrupt: interrupt, notes: notes)
    case .test(let width, let height, let fps):
      TestSource(width: width, height: height, fps: fps, interrupt: interrupt)
    case .device(let device):
      VideoSource(device, system: video, interrupt: interrupt, encoder: encoder)
    }
  }

  /// What the supervisor knows is new.
  private func learn(_ found: Learnt) {
    let before = knowledge
    var now = found
    now.keepAlive = before.keepAlive
    guard before != now else { return }
    learnt.withLock { $0 = now }
    if let patience = now.patience, patience > before.patience ?? .zero {
      log.info("frames are waited for up to \(patience.components.seconds) s from now on")
    }
    onLearning(now)
  }

  private func learn(_ request: KeepAliveRequest) {
    onLearning(
      learnt.withLock { learnt in
        learnt.keepAlive = request
        return learnt
      })
  }

  private func count(_ number: UInt64) { limited.withLock { $0 += number } }

  private func note(_ stream: SourceStream) {
    opened.withLock { $0 = stream }
    for remark in stream.remarks { log.info(remark) }
    for warning in stream.warnings { log.warning(warning) }
    if !stream.ignoredTracks.isEmpty { log.info("ignored: \(stream.ignoredTracks.joined(separator: ", "))") }
  }
}

/// What one camera carries from connection to connection.
private struct CameraSession {
  var supervisor: Supervisor
  private var clock = CaptureClock()
  private var timeline = MediaTimeline()
  /// What is lost when the next frame comes; nil before the first connection delivered anything.
  private var gap: Gap?
  private var hasDelivered = false
  private var lastError: CaptureError?
  private var lastPts: Int64?
  private let limits: CameraDescription.Limits
  private var admission: Admission
  /// The limits that the log has named already.
  private var namedLimits: Set<Admission.Limit> = []

  init(supervisor: Supervisor, limits: CameraDescription.Limits, memory: Camera.Memory?) {
    (self.supervisor, self.limits, admission) = (supervisor, limits, Admission(limits))
    guard let memory else { return }
    timeline = memory.timeline
    (gap, hasDelivered) = (Gap(frameCount: nil, reason: .camera), true)
  }

  /// What the next camera of this name goes on from.
  var memory: Camera.Memory? { hasDelivered ? Camera.Memory(timeline: timeline) : nil }

  /// Whether `error` is the one before it again.
  mutating func isRepeated(_ error: CaptureError) -> Bool {
    defer { lastError = error }
    return lastError == error
  }

  /// One connection from open to its end; the error says why it ended.
  mutating func capture(
    from source: any Source, interrupt: Interrupt, log: Log, notes: FFmpegNotes, current: CurrentState,
    opened: (SourceStream) -> Void, limited: (UInt64) -> Void, learn: (Learnt) -> Void,
    deliver: (Frame) -> Void
  ) -> CaptureError {
    var silence = Silence()
    do throws(CaptureError) {
      interrupt.setDeadline(supervisor.connectDeadline(now: .now()))
      current.become(.connecting)
      let stream = try source.open()
      opened(stream)
      (silence.codec, silence.announcedSize, silence.transport) = (stream.codec, stream.announcedSize, stream.transport)
      follow(supervisor.step(.opened, now: .now(), jitter: 0), interrupt)
      learn(supervisor.learnt)
      var normalizer = Normalizer(stream: stream, gap: gap)
      var joiner = PictureJoiner(codec: stream.codec, largestFrame: limits.frame)
      var media = MediaClock()
      timeline.reconnect()
      lastPts = nil
      while true {
        let packet = try joiner.next { () throws(CaptureError) in try source.read() }
        silence.unitCount += 1
        if packet.oversizeCount > 0 {
          name(.frame, log)
          limited(packet.oversizeCount)
        }
        if let limit = admission.refusal(byteCount: packet.payload.byteCount, at: packet.arrival.boot) {
          name(limit, log)
          limited(1)
          normalizer.refuse(packet)
          follow(supervisor.step(.unusable, now: .now(), jitter: 0), interrupt)
          continue
        }
        let wasDecodable = normalizer.undecodableKeyframeCount == 0
        guard case .frame(let picture) = normalizer.take(packet) else {
          if normalizer.isRefusing { limited(1) }
          follow(supervisor.step(.unusable, now: .now(), jitter: 0), interrupt)
          if wasDecodable, normalizer.undecodableKeyframeCount > 0 {
            silence.isUndecodable = true
            log.warning("a keyframe that nobody can decode; frames are dropped up to one that somebody can")
          }
          continue
        }
        silence.frameCount += 1
        admission.took(byteCount: picture.payload.byteCount)
        media.follow(normalizer.pictures)
        let own = media.times(
          pts: packet.pts, dts: packet.dts, following: packet.followingPts, arrival: packet.arrival.boot,
          isClosed: !picture.isKeyframe || isIDR(picture.payload, stream.codec))
        let times = timeline.place(
          pts: own.pts, dts: own.dts, arrival: packet.arrival.boot, isRestarted: own.isBeginning)
        follow(supervisor.step(.frame(interval: interval(to: times.pts)), now: .now(), jitter: 0), interrupt)
        learn(supervisor.learnt)
        lastError = nil
        current.become(.streaming(stream.codec, width: picture.width, height: picture.height))
        let time = clock.captureTime(
          arrival: packet.arrival, cameraTime: own.isExact ? packet.cameraOffset.map(own.pts.addingSaturated) : nil,
          pts: times.pts, isSynchronized: WallClock.isSynchronized())
        (self.gap, hasDelivered) = (nil, true)
        deliver(
          Frame(
            codec: stream.codec, payload: picture.payload, isKeyframe: picture.isKeyframe,
            recovery: picture.recovery, isLeading: picture.isLeading, captureTime: time.nanoseconds,
            clock: time.quality, bootTime: packet.arrival.boot, isClockStepped: time.isStepped, pts: times.pts,
            dts: times.dts, width: picture.width, height: picture.height, gap: picture.gap))
      }
    } catch {
      if hasDelivered {
        gap.append(Gap(frameCount: nil, reason: error.gapReason))
      }
      guard error.code == .silent, silence.codec != nil, notes.strangeSource == nil else { return error }
      silence.arrivals = source.arrivals
      return CaptureError(.silent, silence.message(waited: supervisor.allowed, lastWords: notes.lastWords))
    }
  }

  private mutating func name(_ limit: Admission.Limit, _ log: Log) {
    guard namedLimits.insert(limit).inserted else { return }
    log.warning("more than limits.\(limit) allows: the excess is dropped, up to the next keyframe")
  }

  private func isIDR(_ payload: Payload, _ codec: Codec) -> Bool {
    withExtendedLifetime(payload) { AccessUnit(payload.bytes, codec: codec).isIDR }
  }

  private func follow(_ action: Supervisor.Action, _ interrupt: Interrupt) {
    guard case .read(let deadline) = action else { return }
    interrupt.setDeadline(deadline)
    let now = MonotonicTime.now()
    interrupt.setQuietMark(now + (deadline - now) / 2, since: now)
  }

  private mutating func interval(to pts: Int64) -> Duration? {
    defer { lastPts = pts }
    guard let lastPts, pts > lastPts else { return nil }
    return .nanoseconds(pts.subtractingSaturated(lastPts))
  }
}
