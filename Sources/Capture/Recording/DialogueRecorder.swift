import Frames
import Glibc
import Posix

// Stands between FFmpeg and a camera, so that what they say can be kept: a relay of TCP on 127.0.0.1. Bytes of the camera
// pass as they are; of requests only the host in the URL is put right, and not even that where an answer to a challenge
// covers it (Digest). What goes past the connection (UDP, another host after a redirect) is not seen, and TLS is not
// looked into.

/// Relays and records the dialogue with one RTSP camera. A thread of its own does it.
package final class DialogueRecorder: Sendable {
  private struct State: Sendable {
    var recording: DialogueRecording
    var isStopped = false
    var refusal: CaptureError?
  }

  private let state: Monitor<State>
  private let thread: Thread
  /// The URL to be used instead of the camera's.
  package let url: String

  /// Connects to the camera of `url`, which is `rtsp:`, by `deadline`.
  package init(
    url: String, login: CameraDescription.Login?, until deadline: MonotonicTime
  ) throws(CaptureError) {
    guard url.hasPrefix("rtsp://"), let parts = URLParts(url[...]) else {
      throw CaptureError(.unusable, "only the dialogue with an rtsp:// camera can be recorded")
    }
    let camera = RecordedCamera(host: String(parts.host), port: parts.port)
    let first: TCPSocket
    let listener: TCPSocket
    do throws(SystemError) {
      first = try TCPSocket.connect(to: camera.host, port: camera.port, until: deadline)
      listener = try TCPSocket.listen()
    } catch {
      throw CaptureError(.unreachable, "\(error)")
    }
    let address = first.peer
    let mayTellPassword = login?.allowsBasic == true || address.isLoopback
    let redaction = DialogueRedaction(
      url: url, address: address.text, login: login.map { ($0.username, $0.password) })
    let state = Monitor(State(recording: DialogueRecording(redaction)))
    let own = "127.0.0.1:\(listener.port)"
    (self.state, self.url) = (state, "rtsp://\(own)\(parts.path)")
    let authority = String(parts.authority)
    thread = Thread.start(name: "record") {
      var relay = DialogueRelay(
        camera: camera, authority: authority, own: own, mayTellPassword: mayTellPassword, listener: listener,
        first: first)
      while !state.read({ $0.isStopped }) {
        relay.step { event in
          state.withLock { state in
            switch event {
            case .begin: return state.recording.begin()
            case .ask(let head, let connection): state.recording.ask(head, on: connection)
            case .take(let piece, let connection): state.recording.take(piece, on: connection, at: .now())
            case .end(let connection, let rest, let byCamera):
              state.recording.end(connection, rest: rest, byCamera: byCamera, at: .now())
            case .refuse: state.refusal = .basicRefused
            }
            return 0
          }
        }
      }
    }
  }

  /// Why a connection was ended here; nil when none was.
  package var refusal: CaptureError? { state.read { $0.refusal } }

  /// Ends relaying; what was recorded, as a file. nil when nothing was asked.
  package func finish(version: String) -> String? {
    state.withLock { $0.isStopped = true }
    _ = thread.join()
    return state.read { $0.recording.isEmpty ? nil : $0.recording.text(version: version) }
  }
}

/// Where the relay leads.
struct RecordedCamera: Sendable {
  var host: String
  var port: UInt16
}
