import ArgumentParser
import Capture
import Frames
import Glibc
import Posix

// `camgate probe --record FILE`: the file is made when there is something to put in, and never in place of another.

/// A recording that is under way, and where it goes.
struct ProbeRecording {
  let path: String
  /// nil when the camera could not be connected to.
  let recorder: DialogueRecorder?

  /// Connects to the camera and stands before it. Ends with exit code 64 for what cannot be recorded.
  init(_ path: String, of description: CameraDescription) throws {
    self.path = path
    guard case .rtsp(let url, let login, .tcp, _) = description.source, url.hasPrefix("rtsp://") else {
      Terminal.writeError(
        message:
          "camgate: --record is for rtsp:// cameras over tcp: TLS is not looked into, and what comes over UDP goes "
          + "past it")
      throw ExitCode(64)
    }
    if access(path, F_OK) == 0 {
      Terminal.writeError(message: "camgate: --record: \(path) is there already, and stays as it is")
      throw ExitCode(64)
    }
    var recorder: DialogueRecorder?
    do throws(CaptureError) {
      recorder = try DialogueRecorder(url: url, login: login, until: .now() + description.timeouts.connect)
    } catch {
      Terminal.writeError(message: "camgate: nothing to record: \(error.message)")
    }
    self.recorder = recorder
  }

  /// Writes the file; false when it was not.
  func save() -> Bool {
    guard let text = recorder?.finish(version: Version.number) else {
      Terminal.writeError(message: "camgate: nothing was asked: \(path) was not written")
      return false
    }
    do throws(SystemError) {
      let descriptor = try retryingInterrupts("open \(path)") {
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      }
      defer { close(descriptor) }
      do throws(SystemError) { try Files.write(Array(text.utf8), to: descriptor) } catch {
        unlink(path)
        throw error
      }
      Terminal.writeError(
        message: "dialogue saved in \(path), without login and addresses, with pictures of the camera")
      return true
    } catch {
      Terminal.writeError(message: "camgate: --record: \(error)")
      return false
    }
  }
}
