import Glibc
import Posix

// The thread `ring-sync`: it does nothing but fdatasync, on a duplicated descriptor, because a memory card can stall for
// seconds. One request at a time, as the ring asks.

/// Syncs files on a thread of its own.
package final class RingSyncer: Sendable {
  private struct State {
    var job: (request: SyncRequest, descriptor: Int32)?
    var isStopping = false
  }

  private let state = Monitor(State())
  private let thread = Monitor<Thread?>(nil)
  private let onFinished: @Sendable (SyncRequest, SystemError?) -> Void

  /// `onFinished` is called on the thread; it should only put the answer where the ring's owner finds it.
  package init(onFinished: @escaping @Sendable (SyncRequest, SystemError?) -> Void) {
    self.onFinished = onFinished
    thread.withLock { $0 = Thread.start(name: "ring-sync") { [self] in run() } }
  }

  /// Hands over what `Ring.nextSync` gave. Without a free descriptor the ring asks again later: no file has failed.
  package func submit(_ request: SyncRequest, of ring: Ring) {
    do throws(SystemError) {
      let descriptor = try ring.storage.duplicate(request.file)
      state.withLock { $0.job = (request, descriptor) }
    } catch { ring.syncPostponed(request) }
  }

  /// Ends the thread after the sync that is under way.
  package func stop() {
    state.withLock { $0.isStopping = true }
    thread.read { $0 }?.join()
  }

  private func run() {
    while let job = next() {
      var failure: SystemError?
      do throws(SystemError) {
        _ = try retryingInterrupts("fdatasync") { fdatasync(job.descriptor) }
      } catch { failure = error }
      close(job.descriptor)
      onFinished(job.request, failure)
    }
  }

  private func next() -> (request: SyncRequest, descriptor: Int32)? {
    state.wait { state -> (request: SyncRequest, descriptor: Int32)?? in
      if let job = state.job {
        state.job = nil
        return .some(job)
      }
      return state.isStopping ? .some(nil) : nil
    } ?? nil
  }
}
