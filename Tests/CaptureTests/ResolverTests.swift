import Glibc
import Posix
import Testing

@testable import Capture

@Suite struct ResolverTests {
  @Test func addressesAndNames() throws {
    let resolver = Resolver()
    for host in ["127.0.0.1", "[::1]", "localhost"] { try resolver.resolve(host, interrupt: Interrupt()) }
    let error = captureError { try resolver.resolve("camera.invalid", interrupt: Interrupt()) }
    #expect(error?.code == .unreachable && error?.message.contains("camera.invalid") == true)
  }

  @Test(arguments: ["camera.local", "Camera.LOCAL", "camera.local."])
  func namesOfMulticastDNSAreExplained(_ host: String) {
    let resolver = Resolver { _ in EAI_NONAME }
    let error = captureError { try resolver.resolve(host, interrupt: Interrupt()) }
    #expect(error?.message.contains("multicast DNS") == true && error?.message.contains("address") == true)
  }

  /// A name server that does not answer holds getaddrinfo for as long as it likes; the camera's thread goes on.
  @Test func aNameServerThatNeverAnswers() throws {
    let isAnswering = Monitor(false)
    let lookUps = Monitor(0)
    let resolver = Resolver { _ in
      lookUps.withLock { $0 += 1 }
      _ = isAnswering.wait { $0 ? true : nil }
      return 0
    }
    let interrupt = Interrupt()
    interrupt.setDeadline(.now())
    for _ in 0..<3 {
      let error = captureError { try resolver.resolve("camera", interrupt: interrupt) }
      #expect(error?.code == .unreachable && error?.message.contains("name server") == true)
    }
    interrupt.stop()
    #expect(captureError { try resolver.resolve("camera", interrupt: interrupt) }?.code == .stopped)
    isAnswering.withLock { $0 = true }
    try resolver.resolve("camera", interrupt: Interrupt())
    #expect(lookUps.read { $0 } <= 2, "never two at a time")
  }
}
