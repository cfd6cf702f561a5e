// Rules about the text of single files. Each is a function from a file to what is wrong with it.

let longestFile = 400

func lengthComplaints(_ file: File) -> [Complaint] {
  let counted = ["swift", "py", "sh", "c", "h"].contains { file.path.hasSuffix(".\($0)") }
  guard counted, file.lines.count > longestFile else { return [] }
  return [Complaint(path: file.path, line: longestFile + 1, text: "\(file.lines.count) lines, at most \(longestFile)")]
}

/// Words that say that something is unfinished. What a patch has around its own lines is somebody else's.
func unfinishedComplaints(_ file: File) -> [Complaint] {
  let isPatch = file.path.hasSuffix(".patch")
  return file.complaints { line in
    if isPatch && (line.hasPrefix(" ") || line.hasPrefix("-")) { return nil }
    return line.firstMatch(of: #/\b(TODO|FIXME|XXX|HACK)\b/#).map {
      "\($0.output.1): finish it, or say what happens until then"
    }
  }
}

/// Tests that may skip themselves: what is missing is installed, or the test fails.
func skippingComplaints(_ file: File) -> [Complaint] {
  file.complaints { line in
    line.firstMatch(of: #/\.(?:enabled|disabled)\(|XCTSkip|skipTest|skipIf|skipUnless/#).map {
      "'\($0.output)': say what must be true here, too"
    }
  }
}

/// Paths that only exist on somebody's machine, and hosts of package registries: their clients know them.
func machineComplaints(_ file: File) -> [Complaint] {
  let path = #/(?:^|[^\w.~}-])(/(?:work|root|home|Users|opt/swift|var/folders)/|\.\./shared\b)/#
  let registry =
    #/
    \b(?:pypi\.(?:org|python\.org)|files\.pythonhosted\.org|(?:deb|security|snapshot|ftp)(?:\.\w+)?\.debian\.org
    |registry\.npmjs\.org|crates\.io|proxy\.golang\.org|docker\.io|ghcr\.io)\b
    /#
  return file.complaints { line in
    if let found = line.firstMatch(of: path) { return "'\(found.output.1)' is a path of one machine" }
    return line.firstMatch(of: registry).map { "'\($0.output)' is a package registry: its client knows where it is" }
  }
}

/// What puts the place of a source file, or the length of its path, into the binary: `-file-prefix-map` does not reach it,
/// and the same commit built elsewhere gives other bytes.
func placeComplaints(_ file: File) -> [Complaint] {
  file.complaints { line in
    line.firstMatch(of: #/\bwithoutActuallyEscaping\b|#filePath\b/#).map {
      "'\($0.output)' depends on where the file lies: take an @escaping closure, or #fileID"
    }
  }
}

/// Every promise the compiler cannot check says why it holds, in the comment in front of it.
func unsafeComplaints(_ file: File) -> [Complaint] {
  guard file.isSwift else { return [] }
  return file.lines.indices.compactMap { index in
    guard let found = file.lines[index].firstMatch(of: #/@unchecked Sendable|nonisolated\(unsafe\)/#) else {
      return nil
    }
    let above = file.lines[..<index].reversed().prefix { $0.contains(#/^\s*(//|@)/#) }
    if above.contains(where: { $0.contains(#/\b[Bb]ecause\b/#) }) { return nil }
    return Complaint(
      path: file.path, line: index + 1, text: "\(found.output) without a comment above it that says why ('because …')")
  }
}

/// Files that git must not have.
func trackedComplaints(_ paths: [String]) -> [Complaint] {
  paths.filter { $0.contains(#/(^|/)(Package\.resolved$|\.build|__pycache__)/#) }
    .map { Complaint(path: $0, line: 1, text: "must not be tracked") }
}
