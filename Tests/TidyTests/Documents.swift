// Rules about what the documents promise: commands that exist, links that lead somewhere, every setting, module, thread and
// verb explained.

/// `Toolchain/dev VERB` in a document is a command that works: its script is there.
func commandComplaints(_ file: File, paths: Set<String>) -> [Complaint] {
  file.lines.enumerated().flatMap { index, line in
    line.matches(of: #/Toolchain/dev\s+([a-z][a-z-]*)/#).compactMap { match in
      let script = "Toolchain/\(match.output.1).sh"
      let text = "'Toolchain/dev \(match.output.1)': there is no \(script)"
      return paths.contains(script) ? nil : Complaint(path: file.path, line: index + 1, text: text)
    }
  }
}

/// Relative links lead to a file or a directory of the repository; links into a document, to one of its headings.
func linkComplaints(_ file: File, paths: Set<String>) -> [Complaint] {
  let folder = file.path.split(separator: "/").dropLast().map(String.init)
  let anchors = Set(file.lines.filter { $0.hasPrefix("#") }.map(anchor))
  return file.lines.enumerated().flatMap { index, line in
    line.matches(of: #/\]\(([^)\s]+)\)/#).compactMap { match in
      let target = match.output.1
      let complaint = Complaint(path: file.path, line: index + 1, text: "'\(target)' leads nowhere")
      if target.contains(#/^[a-z]+:/#) { return nil }
      if target.hasPrefix("#") { return anchors.contains(String(target.dropFirst())) ? nil : complaint }
      let path = resolve(target.prefix { $0 != "#" }, in: folder)
      return paths.contains { $0 == path || $0.hasPrefix(path + "/") } ? nil : complaint
    }
  }
}

/// A heading as GitHub makes an anchor of it.
private func anchor(_ heading: Substring) -> String {
  let text = heading.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
  return String(text.compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || "-_".contains($0) ? $0 : nil })
}

private func resolve(_ target: Substring, in folder: [String]) -> String {
  var parts = folder
  for part in target.split(separator: "/") where part != "." {
    if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) }
  }
  return parts.joined(separator: "/")
}

/// The paths in the table of settings (Sources/Settings/Keys.swift) that take a value: groups are not among them.
func settingsKeys(inTable file: File) -> [String] {
  let all = file.lines.compactMap { $0.firstMatch(of: #/^\s*key\("([^"]+)"/#).map { String($0.output.1) } }
  return all.filter { key in !all.contains { $0.hasPrefix(key + ".") || $0.hasPrefix(key + "[].") } }
}

/// The headers of records by their names (Sources/Records/HeaderName.swift).
func headerNames(inTable file: File) -> [String] {
  file.lines.compactMap { $0.firstMatch(of: #/static let \w+ = "([a-z_-]+)"/#).map { String($0.output.1) } }
}

/// Names of headers outside the table of them: who spells one has another one.
func headerComplaints(_ file: File, names: [String]) -> [Complaint] {
  guard file.isSwift, file.path != "Sources/Records/HeaderName.swift" else { return [] }
  return file.complaints { line in
    names.first { line.contains("\"\($0)\"") }.map { "\"\($0)\" is spelt here: HeaderName has it" }
  }
}

/// What the document has to speak of stands in it, in backticks, by its full name.
func unmentionedComplaints(_ file: File, _ kind: String, _ names: some Sequence<String>) -> [Complaint] {
  let text = file.lines.joined(separator: "\n")
  return names.filter { !text.contains("`\($0)`") }
    .map { Complaint(path: file.path, line: 1, text: "the \(kind) `\($0)` is not mentioned") }
}

/// Whoever comes new reads the architecture to its end.
let longestArchitecture = 250

func architectureComplaints(_ file: File) -> [Complaint] {
  guard file.lines.count > longestArchitecture else { return [] }
  let text = "\(file.lines.count) lines, at most \(longestArchitecture): say it shorter, or where the code is"
  return [Complaint(path: file.path, line: longestArchitecture + 1, text: text)]
}

/// The names of the threads that a file starts; what is put in while running is `…`.
func threadNames(in file: File) -> [String] {
  file.lines.compactMap { line in
    guard let start = line.firstRange(of: "Thread.start(name: \"") else { return nil }
    return String(line[start.upperBound...].prefix { $0 != "\"" }.replacing(#/\\\([^)]*\)/#, with: "…"))
  }
}

/// The verbs that `Toolchain/dev` explains.
func verbs(inUsage file: File) -> [String] {
  file.lines.compactMap { $0.firstMatch(of: #/^  ([a-z][a-z-]*)  /#).map { String($0.output.1) } }
}

/// The folders right below `folder`.
func folders(in folder: String, _ paths: [String]) -> [String] {
  let below = paths.compactMap { path -> String? in
    let parts = path.split(separator: "/")
    return parts.count > 2 && parts[0] == folder ? String(parts[1]) : nil
  }
  return Set(below).sorted()
}

/// The programs that busybox is built with, by its configuration.
func applets(inConfiguration file: File) -> [String] {
  let options: Set<Substring> = ["STATIC", "LFS", "SHOW_USAGE", "LONG_OPTS", "BUSYBOX", "SH_IS_ASH", "FLOAT_DURATION"]
  return file.lines.compactMap { line in
    guard let name = line.wholeMatch(of: #/CONFIG_(\w+)=y/#)?.output.1, !options.contains(name),
      !name.hasPrefix("FEATURE_"), !name.hasPrefix("ASH_")
    else { return nil }
    return name.lowercased()
  }
}

/// Programs that no line of the scripts calls, comments aside. The shell and the first process have other names there.
func uncalledApplets(_ names: [String], in scripts: [File]) -> [String] {
  let lines = scripts.flatMap(\.lines).filter { !$0.contains(#/^\s*#/#) }
  let words = Set(lines.flatMap { $0.split { !$0.isLetter && !$0.isNumber && $0 != "-" && $0 != "_" && $0 != "." } })
  let implied: Set<String> = ["ash", "init", "test"]
  return names.filter { !implied.contains($0) && !words.contains(Substring($0)) }
}
