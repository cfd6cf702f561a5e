// swift-tools-version: 6.0
import PackageDescription

// No pkgConfig, no flags, no environment: headers and libraries are found on the compiler's default search paths,
// which are the host's in a native build and the Swift SDK's sysroot in a cross build.
let package = Package(
  name: "camgate",
  products: [.executable(name: "camgate", targets: ["camgate"])],
  dependencies: [.package(url: "https://github.com/apple/swift-argument-parser.git", exact: "1.8.2")],
  targets: [
    // C libraries: a module map with `link` lines and a shim.h for macros and variadics.
    .systemLibrary(name: "CExpat"),
    .systemLibrary(name: "CFFmpeg"),
    .systemLibrary(name: "CPosix"),
    .systemLibrary(name: "CRdKafka"),
    .systemLibrary(name: "CTurboJPEG"),
    .systemLibrary(name: "CV4L2"),
    .systemLibrary(name: "CXXHash"),
    .systemLibrary(name: "CYAML"),

    // The way of a frame, left to right.
    .target(name: "Posix", dependencies: ["CPosix"]),
    .target(name: "Appliance", dependencies: ["CPosix", "Posix"]),
    .target(name: "Sandboxing", dependencies: ["CPosix", "Posix"]),
    .target(name: "Frames"),
    .target(name: "Records", dependencies: ["Frames"]),
    .target(name: "Capture", dependencies: ["CFFmpeg", "CV4L2", "Frames", "Posix"]),
    .target(name: "Imaging", dependencies: ["CFFmpeg", "CTurboJPEG", "Frames", "Posix"]),
    .target(name: "DiskRing", dependencies: ["CXXHash", "Posix"], exclude: ["FORMAT.md"]),
    .target(name: "Backlog", dependencies: ["CXXHash", "DiskRing", "Frames", "Posix"]),
    .target(name: "Broker", dependencies: ["CRdKafka", "Posix"]),
    .target(name: "Delivery", dependencies: ["Backlog", "Broker", "CXXHash", "Frames", "Posix", "Records"]),
    .target(name: "Discovery", dependencies: ["CExpat", "CFFmpeg", "Posix"]),
    .target(name: "Settings", dependencies: ["CYAML", "Frames", "Posix"]),
    .target(
      name: "Gateway",
      dependencies: [
        "Backlog", "Broker", "Capture", "Delivery", "DiskRing", "Frames", "Imaging", "Posix", "Records", "Settings",
      ]),
    .target(name: "Consuming", dependencies: ["Broker", "CXXHash", "Frames", "Imaging", "Posix", "Records"]),
    .executableTarget(
      name: "camgate",
      dependencies: [
        "Appliance", "Backlog", "Broker", "Capture", "Consuming", "Delivery", "Discovery", "DiskRing", "Frames",
        "Gateway", "Imaging", "Posix", "Records", "Sandboxing", "Settings",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // A disk that can lose power, and a ring on it.
    .target(name: "CaptureFuzzing", dependencies: ["Capture", "Frames", "Posix"], path: "Tests/CaptureFuzzing"),
    .target(name: "RingSimulation", dependencies: ["DiskRing", "Posix"], path: "Tests/RingSimulation"),
    .executableTarget(
      name: "RingSimulator", dependencies: ["DiskRing", "Posix", "RingSimulation"], path: "Tests/RingSimulator"),
    .executableTarget(
      name: "DeliveryBench",
      dependencies: ["Backlog", "Broker", "CRdKafka", "Delivery", "DiskRing", "Frames", "Posix", "Sandboxing"],
      path: "Tests/DeliveryBench"),
    .executableTarget(name: "RingBench", dependencies: ["DiskRing", "Posix"], path: "Tests/RingBench"),

    .testTarget(name: "PosixTests", dependencies: ["Posix"]),
    .testTarget(name: "ApplianceTests", dependencies: ["Appliance"]),
    .testTarget(name: "SandboxingTests", dependencies: ["CPosix", "Posix", "Sandboxing"]),
    .testTarget(name: "FramesTests", dependencies: ["Frames"]),
    .testTarget(name: "RecordsTests", dependencies: ["Frames", "Records"]),
    .testTarget(
      name: "CaptureTests",
      dependencies: ["CFFmpeg", "CTurboJPEG", "CV4L2", "Capture", "CaptureFuzzing", "Frames", "Imaging", "Posix"]),
    .testTarget(name: "ImagingTests", dependencies: ["CFFmpeg", "Frames", "Imaging"]),
    .testTarget(name: "DiskRingTests", dependencies: ["DiskRing", "Posix", "RingSimulation"]),
    .testTarget(
      name: "BacklogTests", dependencies: ["Backlog", "DiskRing", "Frames", "Posix", "RingSimulation"]),
    .testTarget(name: "BrokerTests", dependencies: ["Broker", "Posix"]),
    .testTarget(
      name: "DeliveryTests",
      dependencies: ["Backlog", "Broker", "CRdKafka", "Delivery", "Frames", "Posix", "Records", "Settings"]),
    .testTarget(name: "GatewayTests", dependencies: ["Capture", "Frames", "Gateway", "Posix", "Settings"]),
    .testTarget(name: "DiscoveryTests", dependencies: ["Discovery", "Posix"]),
    .testTarget(name: "SettingsTests", dependencies: ["Posix", "Settings"]),
    .testTarget(
      name: "ConsumingTests",
      dependencies: ["Broker", "CXXHash", "Consuming", "Frames", "Imaging", "Posix", "Records"]),
    .testTarget(name: "TidyTests", dependencies: ["Posix"]),
    .testTarget(
      name: "IntegrationTests",
      dependencies: [
        "Backlog", "Broker", "CFFmpeg", "Capture", "Consuming", "Delivery", "DiskRing", "Frames", "Posix", "Records",
        "Sandboxing",
      ]),
  ]
)
