// What a camera is: written by Settings, read by Capture.

/// One camera to capture from.
package struct CameraDescription: Sendable, Equatable {
  /// Where the pictures come from.
  package enum Source: Sendable, Equatable {
    /// An RTSP camera (RFC 2326); `tls` counts for `rtsps:`.
    case rtsp(url: String, login: Login?, transport: RTSPTransport, tls: TLS = TLS())
    /// Any container FFmpeg reads, paced by its timestamps; begins anew at its end when `loops`.
    case file(path: String, loops: Bool)
    /// A generated picture with a frame counter burnt in.
    case test(width: Int, height: Int, fps: Int)
    /// A V4L2 camera, mostly one on USB.
    case device(Device)
  }

  /// A V4L2 camera and how it is set.
  package struct Device: Sendable, Equatable {
    /// `/dev/video0`, `/dev/v4l/by-id/…` or `usb:SERIAL`.
    package var path: String
    package var format: DeviceFormat
    /// The driver's controls in the order in which they are set: many cameras take an exposure only once it is no longer
    /// automatic.
    package var controls: [Control]

    package init(path: String, format: DeviceFormat = DeviceFormat(), controls: [Control] = []) {
      (self.path, self.format, self.controls) = (path, format, controls)
    }
  }

  /// A control of a device, by the driver's name in small letters and underscores, with a number, `true`, `false`, or the
  /// name of a menu entry.
  package struct Control: Sendable, Equatable {
    package var name: String
    package var value: String

    package init(name: String, value: String) { (self.name, self.value) = (name, value) }
  }

  /// A user and password for digest or basic authentication.
  package struct Login: Sendable, Equatable, CustomStringConvertible {
    package var username: String
    package var password: String
    /// Whether the password may go out in clear: by Basic, without TLS, to another machine.
    package var allowsBasic = false

    /// Never the password.
    package var description: String { "\(username):***" }

    package init(username: String, password: String, allowsBasic: Bool = false) {
      (self.username, self.password, self.allowsBasic) = (username, password, allowsBasic)
    }
  }

  /// How RTP reaches us.
  package enum RTSPTransport: String, Sendable, CaseIterable {
    /// Interleaved in the RTSP connection.
    case tcp
    /// Datagrams; lost ones are lost.
    case udp
    /// Datagrams, then `tcp` when they are lost.
    case auto
  }

  /// How the certificate of an `rtsps:` camera is checked.
  package struct TLS: Sendable, Equatable {
    /// Whether it is checked at all, with the host's name.
    package var verifies = true
    /// PEM file of the authorities that may have signed it; nil: those of the system.
    package var authorityFile: String?

    package init(verifies: Bool = true, authorityFile: String? = nil) {
      (self.verifies, self.authorityFile) = (verifies, authorityFile)
    }
  }

  /// How long to wait before a connection counts as broken.
  package struct Timeouts: Sendable, Equatable {
    /// For the connection and the RTSP dialogue.
    package var connect: Duration = .seconds(10)
    /// From there to the first frame.
    package var firstFrame: Duration = .seconds(30)
    /// From frame to frame. A slower camera's interval is learnt (Capture/Patience.swift).
    package var nextFrame: Duration = .seconds(5)

    package init() {}
  }

  /// What is taken of a camera; what it sends beyond that is dropped up to the next keyframe.
  package struct Limits: Sendable, Equatable {
    /// Bits a second.
    package var bitrate = 100_000_000
    /// Frames a second.
    package var fps = 240
    /// Bytes of one frame.
    package var frame = 16 << 20

    package init() {}
  }

  package var name: CameraName
  package var source: Source
  package var timeouts: Timeouts
  package var limits: Limits

  package init(name: CameraName, source: Source, timeouts: Timeouts = Timeouts(), limits: Limits = Limits()) {
    (self.name, self.source, self.timeouts, self.limits) = (name, source, timeouts, limits)
  }
}
