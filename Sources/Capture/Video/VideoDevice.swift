import CV4L2
import Glibc
import Posix

// The few system calls that a V4L2 device answers. Everything above them runs as well on a scripted device.
//
// Plain ioctls, neither libavdevice nor libv4l: through libavdevice one sees neither which frames the driver left out
// (`sequence`) nor an unplugged camera, its DQBUF does not ask the interrupt callback, and its packets point into memory
// that closing unmaps. libv4l's own calls convert formats and emulate controls, which Camgate does not want done
// unasked; what only libv4l can read goes through its converter, on purpose (VideoConverter.swift).

/// An open video device (Documentation/userspace-api/media/v4l of the kernel). Used by one thread.
protocol VideoDevice: AnyObject {
  /// The descriptor; -1 for what is no file.
  var descriptor: Int32 { get }
  /// ioctl(2); throws its errno.
  func request(_ code: UInt, _ argument: UnsafeMutableRawPointer) throws(SystemError)
  /// poll(2): what is the case after at most `milliseconds`.
  func wait(milliseconds: Int32) throws(SystemError) -> VideoReadiness
  /// mmap(2) of one of the driver's buffers.
  func map(offset: UInt32, byteCount: Int) throws(SystemError) -> UnsafeMutableRawBufferPointer
  /// munmap(2).
  func unmap(_ memory: UnsafeMutableRawBufferPointer)
  /// close(2); call once, last.
  func close()
}

enum VideoReadiness {
  case frame
  case nothing
  /// POLLERR or POLLHUP: the device is gone or does not stream.
  case failed
}

/// A device of the kernel.
final class KernelVideoDevice: VideoDevice {
  let descriptor: Int32

  /// Opens it without waiting for it.
  init(path: String) throws(SystemError) {
    descriptor = try retryingInterrupts("open \(path)") { open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC) }
  }

  func request(_ code: UInt, _ argument: UnsafeMutableRawPointer) throws(SystemError) {
    _ = try retryingInterrupts("ioctl") { camgate_ioctl(descriptor, code, argument) }
  }

  func wait(milliseconds: Int32) throws(SystemError) -> VideoReadiness {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let count = poll(&entry, 1, milliseconds)
    if count < 0, errno != EINTR { throw SystemError(code: errno, operation: "poll") }
    if count <= 0 { return .nothing }
    return entry.revents & Int16(POLLIN) != 0 ? .frame : .failed
  }

  func map(offset: UInt32, byteCount: Int) throws(SystemError) -> UnsafeMutableRawBufferPointer {
    let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, Int(offset))
    guard let memory, memory != MAP_FAILED else { throw SystemError(code: errno, operation: "mmap") }
    return UnsafeMutableRawBufferPointer(start: memory, count: byteCount)
  }

  func unmap(_ memory: UnsafeMutableRawBufferPointer) { munmap(memory.baseAddress, memory.count) }

  func close() { Glibc.close(descriptor) }
}

/// Where devices are found and how they are opened; tests bring their own.
struct VideoSystem: Sendable {
  /// In front of `/dev` and `/sys`; empty on a real system.
  var root = ""
  /// Opens the device at a path.
  var open: @Sendable (String) throws(SystemError) -> any VideoDevice = { (path) throws(SystemError) in
    try KernelVideoDevice(path: path)
  }
}
