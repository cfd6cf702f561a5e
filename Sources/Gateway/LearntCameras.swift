import Backlog
import Capture
import Frames
import Posix
import Synchronization

// What the cameras of a running gateway have learnt, together. Their threads hand it in and go on; the disk fetches it
// when it comes to it.

/// What is known about all cameras.
final class LearntCameras: Sendable {
  private let file: Mutex<LearntFile>
  private let disk: DiskBuffer?

  /// Begins with what an earlier run has left on `disk` about these cameras; without a disk nothing outlives this object.
  init(of cameras: [CameraDescription], disk: DiskBuffer?, log: Log) {
    var file = LearntFile(text: disk?.facts.learnt ?? "")
    if file.isDamaged {
      log.warning("what was learnt about cameras is damaged and forgotten; it is learnt again")
    }
    file.forget(allBut: cameras)
    self.file = Mutex(file)
    self.disk = disk
  }

  /// What is known about one.
  func known(of camera: CameraDescription) -> Learnt { file.withLock { $0.known(of: camera) } }

  /// Forgets all others.
  func forget(allBut cameras: [CameraDescription]) { file.withLock { $0.forget(allBut: cameras) } }

  /// Keeps what one has learnt. Does not wait for the disk.
  func keep(_ learnt: Learnt, of camera: CameraDescription) {
    file.withLock { $0.keep(learnt, of: camera) }
    disk?.keep { [self] in file.withLock { $0.text } }
  }
}
