import Frames
import Sandboxing
import Settings

// What a gateway opens after its start: what libraries read, and what follows from the settings.

extension FileRules {
  /// The rules for these settings, which were read from `file`.
  init(_ settings: Configuration, file: String) {
    self = .ofLibraries
    allowDirectory(of: file)
    for named in settings.files { allowDirectory(of: named) }
    for property in settings.kafka.properties where property.value.hasPrefix("/") { allowDirectory(of: property.value) }
    if settings.cameras.contains(where: \.isDevice) { allow(.devices, beneath: "/dev") }
    for path in settings.cameras.compactMap(\.filePath) { allowDirectory(of: path) }
    if let ring = settings.buffer.directory {
      allow(.change, beneath: ring)
      let parent = ring.split(separator: "/").dropLast().joined(separator: "/")
      // A ring in the root would open everything.
      if !parent.isEmpty { allow(.change, beneath: ring.hasPrefix("/") ? "/" + parent : parent) }
    }
  }
}

extension Configuration.Camera {
  fileprivate var isDevice: Bool { if case .device = description.source { true } else { false } }

  fileprivate var filePath: String? { if case .file(let path, _) = description.source { path } else { nil } }

  /// What the camera would open and the sandbox does not let it; nil: nothing.
  func whatIsGivenUp(in sandbox: Sandbox) -> String? {
    if let path = filePath { return sandbox.allowsReading(path) ? nil : path }
    return isDevice && !sandbox.allowsDevices ? "/dev" : nil
  }
}
