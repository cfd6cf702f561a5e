import DiskRing
import Frames
import Posix

// What the thread `backlog` does: hears of syncs, lets the spooler plan, work and tell, hands out the next sync, sleeps.

/// The owner of the ring, on its thread.
final class RingKeeper {
  private let ring: Ring
  private let storage: PosixStorage
  private let options: DiskOptions
  private let facts: DiskFacts
  private let bell: Monitor<DiskBuffer.Bell>
  private let log: Log
  private let syncer: RingSyncer
  private let pulse: DiskPulse
  private var silence = DiskSilence()
  private var secured: [FrameNumber?] = []
  private var wasSpilling = false
  private var clocks: BootClocks
  private var isClockNoted = false
  private var learnt: LearntNote
  private var evicted: (count: UInt64, told: MonotonicTime?) = (0, nil)

  init(
    ring: Ring, storage: PosixStorage, options: DiskOptions, facts: DiskFacts, bell: Monitor<DiskBuffer.Bell>,
    pulse: DiskPulse, log: Log
  ) {
    (self.ring, self.storage, self.options, self.facts) = (ring, storage, options, facts)
    (self.bell, self.pulse, self.log) = (bell, pulse, log)
    clocks = BootClocks(text: NoteFile(name: BootClocks.fileName, storage: storage).text)
    learnt = LearntNote(storage: storage, log: log)
    syncer = RingSyncer { request, error in bell.withLock { $0.syncs.append((request, error)) } }
  }

  /// Runs until the bell says that it is time to close.
  func run() {
    _ = bell.wait { $0.state != nil || $0.isClosing ? true : nil }
    if let state = bell.read({ $0.state }) { serve(state) }
    pulse.end()
    syncer.stop()
    ring.close()
  }

  private func serve(_ state: Monitor<BacklogState>) {
    guard let spooler = makeSpooler(state) else { return }
    var (deadline, isClosing) = (MonotonicTime.now(), false)
    while !isClosing {
      let news = listen(until: deadline)
      isClosing = news.isClosing
      for sync in news.syncs { ring.syncFinished(sync.request, sync.error) }
      for note in news.notes { replace(note) }
      if let text = news.learnt?() { learnt.replace(with: text) }
      if let registration = news.registration { add(registration, spooler, state) }
      tellSilence()
      ring.retry(now: .now())
      let isBusy = step(spooler, state)
      let now = MonotonicTime.now()
      if let request = spooler.nextSync(now: now, isSecuring: news.isSecuring) { syncer.submit(request, of: ring) }
      // Never sooner than in 10 ms for what is overdue and still cannot be done.
      let next = [ring.nextSyncTime, ring.retryTime].compactMap { $0 }.min()
      let sync = max(next ?? MonotonicTime(nanoseconds: .max), now + .milliseconds(10))
      deadline = isBusy ? now : min(sync, now + state.read { $0.policy?.lookInterval ?? .seconds(1) })
    }
    close(spooler, state)
  }

  private func makeSpooler(_ state: Monitor<BacklogState>) -> Spooler? {
    var streams: [StreamID] = []
    do throws(RingError) {
      for lane in facts.lanes { streams.append(try ring.register(lane)) }
    } catch {
      log.error("\(error)")
      return nil
    }
    return state.withLock { state in
      Spooler(
        ring: ring, streams: streams,
        largestFrame: min(state.queue.largestFrame, state.queue.readAhead - Entry.overhead),
        thinAbove: options.thinAbove, boot: options.boot, clocks: clocks, queue: &state.queue)
    }
  }

  /// Gives lanes to the queue, each with a stream of the ring, or none of them.
  private func add(
    _ registration: DiskBuffer.Registration, _ spooler: Spooler, _ state: Monitor<BacklogState>
  ) {
    var streams: [StreamID] = []
    do throws(RingError) {
      for stream in registration.streams { streams.append(try ring.register(stream)) }
    } catch {
      return registration.answer.withLock { $0 = .failure(error) }
    }
    state.withLock { state in
      for stream in streams { state.queue.addLane(at: ring.cursor(of: stream).position) }
      spooler.add(streams)
      registration.whenAdded()
    }
    registration.answer.withLock { $0 = .success(()) }
  }

  private func listen(until deadline: MonotonicTime) -> DiskBuffer.Bell {
    let rung: DiskBuffer.Bell? = bell.wait(until: deadline) { bell in
      let isNews = bell.isRung || bell.isClosing || !bell.syncs.isEmpty || !bell.notes.isEmpty || bell.learnt != nil
      guard isNews || bell.registration != nil else { return nil }
      defer { (bell.isRung, bell.syncs, bell.notes, bell.learnt, bell.registration) = (false, [], [], nil, nil) }
      return bell
    }
    return rung
      ?? bell.read { bell in
        var quiet = DiskBuffer.Bell()
        quiet.isSecuring = bell.isSecuring
        return quiet
      }
  }

  /// One round; true when there may be more to do at once.
  private func step(_ spooler: Spooler, _ state: Monitor<BacklogState>) -> Bool {
    let now = MonotonicTime.now()
    var events: [RingEvent] = []
    let (plan, isSpilling) = state.withLock(wakingIf: { _ in false }) { state -> (Spooler.Plan, Bool) in
      events = spooler.takeEvents(&state.queue)
      state.policy?.step(state.queue.pressure, now: now)
      let isSpilling = state.policy?.isSpilling ?? false
      return (spooler.plan(&state.queue, isSpilling: isSpilling), isSpilling)
    }
    let outcome = spooler.carryOut(plan, now: now)
    let hasRead = outcome.reads.contains { !$0.items.isEmpty }
    var isProgress = hasRead || ring.degraded != nil
    state.withLock(wakingIf: { isProgress || $0.queue.durableTicket != $0.announcedTicket }) { state in
      let before = state.queue.lanes.map(\.position.isDurable)
      spooler.apply(outcome, to: &state.queue)
      isProgress = isProgress || before != state.queue.lanes.map(\.position.isDurable)
      events += spooler.takeEvents(&state.queue)
      state.isDegraded = ring.degraded != nil
    }
    state.withLock(wakingIf: { _ in false }) { $0.announcedTicket = $0.queue.durableTicket }
    for event in events { tell(event) }
    tellSpilling(isSpilling)
    tellSecured(state)
    noteClock(spooler)
    return (!outcome.written.isEmpty && !outcome.isWaiting) || hasRead
  }

  private func close(_ spooler: Spooler, _ state: Monitor<BacklogState>) {
    _ = step(spooler, state)
    let isDurable = ring.flush(now: .now())
    state.withLock { state in
      _ = spooler.takeEvents(&state.queue)
      state.queue.synced(through: ring.durableTicket)
    }
    let isOrderly = state.read { $0.queue.isSecured && !$0.queue.hasUntold }
    guard isDurable, isOrderly else { return }
    do throws(SystemError) { try OrderlyStop.note(epoch: ring.epoch, storage) } catch {
      log.warning("the orderly stop could not be noted: \(error)")
    }
  }

  /// Once the time is known: frames that were written before are dated by it, even if the next boot sends them.
  private func noteClock(_ spooler: Spooler) {
    let mayBeNeeded = spooler.hasUndated || facts.leftovers.contains { $0.recordCount > 0 }
    guard !isClockNoted, mayBeNeeded, ring.degraded == nil, let reading = options.clock() else { return }
    isClockNoted = true
    clocks.note(options.boot, startedAt: reading.wall(atBoot: 0))
    do throws(SystemError) {
      try NoteFile(name: BootClocks.fileName, storage: storage).replace(with: clocks.text)
    } catch { log.warning("when this boot began could not be noted: \(error)") }
  }

  private func replace(_ note: DiskBuffer.Note) {
    do throws(SystemError) {
      try NoteFile(name: note.name, storage: storage).replace(with: note.text)
      note.onEnd(nil)
    } catch { note.onEnd(error) }
  }

  // MARK: Telling

  private func tellSilence() {
    pulse.beat(syncStart: ring.syncStart)
    switch silence.look(ring.syncStart.map { .now() - $0 } ?? .zero) {
    case .silent(let duration):
      log.warning(
        "disk silent for \(duration.components.seconds) s: fdatasync in \(options.directory) has not returned; new frames "
          + "stay in memory until it does")
    case .answered(let duration):
      log.info("the disk answers again, after \(duration.components.seconds) s")
    case nil: break
    }
  }

  private func tell(_ event: RingEvent) {
    switch event {
    case .evicted(_, let count, _, _): if count > 0 { tellEvicted(count) }
    case .rewrite: log.warning("a sync failed: what it was for is written again to another segment")
    case .retired(let file, let error):
      log.error("cannot write \(options.directory)/\(file) (\(error)): what it was for is written elsewhere")
    case .degraded(let error):
      log.error(
        "the ring in \(options.directory) cannot be written (\(error)): what it holds is still sent, new frames are "
          + "buffered in MEMORY ONLY, a power cut loses them; writing is tried again at growing intervals")
    case .recovered: log.info("the ring in \(options.directory) can be written again")
    case .unreadable(let file, let error):
      log.error(
        "cannot read \(options.directory)/\(file) (\(error)): its frames are kept and read again at growing intervals")
    case .readable(let file): log.info("\(options.directory)/\(file) can be read again")
    case .found(_, let last): log.info("found unsent frames up to \(last.key.epoch)-\(last.key.sequence) on disk")
    case .damaged(_, let key): log.warning("frame \(key.epoch)-\(key.sequence) on disk is damaged; it is kept aside")
    case .cursorFailed(let error): log.warning("what is finished could not be written down: \(error)")
    }
  }

  /// Once a minute: what made room is counted, and told again when the frame behind it leaves.
  private func tellEvicted(_ count: UInt64) {
    evicted.count += count
    let now = MonotonicTime.now()
    if let last = evicted.told, now - last < .seconds(60) { return }
    evicted.told = now
    log.warning(
      "the ring is full: \(evicted.count) frames that Kafka has not taken made room since the start; the oldest go first"
    )
  }

  private func tellSpilling(_ isSpilling: Bool) {
    guard options.write == .onPressure, isSpilling != wasSpilling else { return }
    wasSpilling = isSpilling
    log.info(isSpilling ? "frames go to disk until Kafka keeps up" : "Kafka keeps up again; the disk is left alone")
  }

  private func tellSecured(_ state: Monitor<BacklogState>) {
    guard let onSecured = options.onSecured else { return }
    let now = state.read { state in state.queue.lanes.indices.map { state.queue.securedThrough($0) } }
    // Lanes are added now and then.
    secured += Array(repeating: nil, count: now.count - secured.count)
    for (index, number) in now.enumerated() where number != nil && number != secured[index] {
      secured[index] = number
      if let number {
        let run = FrameNumber(epoch: number.epoch ?? ring.epoch, sequence: number.sequence)
        onSecured(Lane(index: index), run)
      }
    }
  }
}
