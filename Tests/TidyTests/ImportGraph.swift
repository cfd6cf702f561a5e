// Which module may know which. Data flows left to right, from cameras to Kafka, and so do the arrows: what stores bytes
// must not learn what a frame is, what talks to Kafka must not learn what a camera is.

/// What each module may import, besides the operating system's own modules. Anything not listed is a complaint.
let allowedImports: [String: Set<String>] = [
  "CExpat": [], "CFFmpeg": [], "CPosix": [], "CRdKafka": [], "CTurboJPEG": [], "CV4L2": [],
  "CXXHash": [], "CYAML": [],

  "Posix": ["CPosix"],
  "Appliance": ["CPosix", "Posix"],
  "Sandboxing": ["CPosix", "Posix"],
  "Frames": [],
  "Records": ["Frames"],
  "Capture": ["CFFmpeg", "CV4L2", "Frames", "Posix"],
  "Imaging": ["CFFmpeg", "CTurboJPEG", "Frames", "Posix"],
  "DiskRing": ["CXXHash", "Posix"],
  "Backlog": ["CXXHash", "DiskRing", "Frames", "Posix"],
  "Broker": ["CRdKafka", "Posix"],
  "Delivery": ["Backlog", "Broker", "CXXHash", "Frames", "Posix", "Records"],
  "Discovery": ["CExpat", "CFFmpeg", "Posix"],
  "Settings": ["CYAML", "Frames", "Posix"],
  "Gateway": [
    "Backlog", "Broker", "Capture", "Delivery", "DiskRing", "Frames", "Imaging", "Posix", "Records", "Settings",
  ],
  "Consuming": ["Broker", "CXXHash", "Frames", "Imaging", "Posix", "Records"],
  "camgate": [
    "Appliance", "ArgumentParser", "Backlog", "Broker", "Capture", "Consuming", "Delivery", "Discovery", "DiskRing",
    "Frames", "Gateway", "Imaging", "Posix", "Records", "Sandboxing", "Settings",
  ],

  // Not shipped: what tests the ring.
  "CaptureFuzzing": ["Capture", "Frames", "Posix"],
  "RingSimulation": ["DiskRing", "Posix"],
  "RingSimulator": ["DiskRing", "Posix", "RingSimulation"],
  "DeliveryBench": ["Backlog", "Broker", "CRdKafka", "Delivery", "DiskRing", "Frames", "Posix", "Sandboxing"],
  "RingBench": ["DiskRing", "Posix"],
]

/// Modules of the operating system and of the language. Foundation is none of them: it brings 40 MB of ICU along.
let systemModules: Set<String> = ["FoundationEssentials", "Glibc", "Synchronization"]

/// A target of Package.swift.
struct Target: Equatable {
  let name: String
  let line: Int
  let isTest: Bool
  let dependencies: Set<String>
}

/// The targets of a manifest. It is read as text, so it has to stay as plain as it is.
func targets(inManifest file: File) -> [Target] {
  let text = file.lines.joined(separator: "\n")
  let target =
    #/
    \.(?<kind>target|executableTarget|testTarget|systemLibrary|plugin|macro|binaryTarget)\(\s*name:\s*"(?<name>\w+)"
    (?:,\s*dependencies:\s*\[(?<dependencies>[^\]]*)\])?
    /#
  return text.matches(of: target).map { match in
    let dependencies = (match.output.dependencies ?? "").matches(of: #/(?:name:\s*|[\[,\s]|^)"(\w+)"/#)
    return Target(
      name: String(match.output.name),
      line: text[..<match.range.lowerBound].count { $0 == "\n" } + 1,
      isTest: match.output.kind == "testTarget",
      dependencies: Set(dependencies.map { String($0.output.1) }))
  }
}

/// The module that a line imports.
func importedModule(_ line: Substring) -> String? {
  // Spares most lines the regular expression.
  guard line.contains("import ") else { return nil }
  let form =
    #/
    ^\s*(?:@\w+(?:\(\w+\))?\s+|package\s+|public\s+|internal\s+|fileprivate\s+|private\s+)*import\s+
    (?:(?:struct|class|enum|protocol|typealias|func|let|var)\s+)?(\w+)
    /#
  return line.firstMatch(of: form).map { String($0.output.1) }
}

/// Arrows in the manifest that the table does not have.
func manifestComplaints(_ file: File) -> [Complaint] {
  targets(inManifest: file).filter { !$0.isTest }.flatMap { target in
    let complaint = { (text: String) in Complaint(path: file.path, line: target.line, text: text) }
    guard let allowed = allowedImports[target.name] else {
      return [complaint("\(target.name) is not in the table of modules (Tests/TidyTests/ImportGraph.swift)")]
    }
    return target.dependencies.subtracting(allowed).sorted().map { complaint("\(target.name) may not know \($0)") }
  }
}

/// Imports that the table or the manifest does not have.
func importComplaints(_ file: File, _ targets: [Target]) -> [Complaint] {
  let parts = file.path.split(separator: "/")
  guard file.isSwift, file.isSource, parts.count > 2 else { return [] }
  let module = String(parts[1])
  let declared = targets.first { $0.name == module }?.dependencies ?? []
  return file.complaints { line in
    guard let imported = importedModule(line), !systemModules.contains(imported) else { return nil }
    if imported == "Foundation" { return "no Foundation here: it links ICU, 40 MB in a static binary" }
    if allowedImports[module]?.contains(imported) != true { return "\(module) may not import \(imported)" }
    return declared.contains(imported) ? nil : "\(module) imports \(imported), which Package.swift does not say"
  }
}
