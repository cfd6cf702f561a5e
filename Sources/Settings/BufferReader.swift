// The section `buffer`: what is kept while Kafka is away.

extension ConfigurationReader {
  mutating func readBuffer(_ node: YAMLNode, _ context: inout ReadingContext) {
    let section = Section(node, path: "buffer", schemaPath: "buffer", context: &context)
    var buffer = configuration.buffer
    buffer.memory = section.size("memory", in: (1 << 20)...(16 << 30), &context) ?? buffer.memory
    buffer.directory = section.text("directory", &context).map { path in
      path.hasPrefix("/") ? path : context.directory + path
    }
    buffer.size = readSize(section, &context)
    buffer.segment = section.size("segment", in: (4 << 20)...(256 << 20), &context) ?? buffer.segment
    buffer.write = section.word("write", &context) ?? buffer.write
    let spillAfter = section.duration("spill_after", in: .milliseconds(100) ... .seconds(3_600), &context)
    buffer.spillAfter = spillAfter ?? buffer.spillAfter
    let syncInterval = section.duration("sync_interval", in: .milliseconds(10) ... .seconds(600), &context)
    buffer.syncInterval = syncInterval ?? buffer.syncInterval
    buffer.syncBytes = section.size("sync_bytes", in: (64 << 10)...(1 << 30), &context) ?? buffer.syncBytes
    buffer.thinAbove =
      section.read("thin_above", "never, or a percentage from 1% to 99%", &context, thinning) ?? buffer.thinAbove
    configuration.buffer = buffer
  }

  /// nil is `auto`.
  private func readSize(_ section: Section, _ context: inout ReadingContext) -> Int? {
    let size = section.read("size", "auto, or a size such as 8GiB", &context) { text -> Int?? in
      if text == "auto" { return .some(nil) }
      return Units.size(text).map { .some($0) }
    }
    return size ?? nil
  }

  private func thinning(_ text: String) -> Int?? {
    if text == "never" { return .some(nil) }
    guard text.last == "%", let percent = Int(text.dropLast()), (1...99).contains(percent) else { return nil }
    return percent
  }

  /// What has to go together: one record must fit into what may be under way, and that is half of the memory; one frame
  /// into a segment; a few segments into the ring. A default that is too little is reported at the record's size.
  func checkBuffer(_ top: Section, _ context: inout ReadingContext) {
    let (buffer, largest) = (configuration.buffer, configuration.kafka.messageMaxBytes)
    func check(_ key: String, _ value: Int, atLeast least: Int, _ reason: String, _ context: inout ReadingContext) {
      let place = top.value("buffer")?.value(of: key) ?? top.value("kafka")?.value(of: "message_max_bytes")
      guard value < least, let place else { return }
      context.report(
        "buffer.\(key)", "\(Units.text(size: value)) is too little: \(reason), \(Units.text(size: least)), is needed",
        at: place)
    }
    check("memory", buffer.memory, atLeast: 2 * largest, "at least twice kafka.message_max_bytes", &context)
    guard buffer.directory != nil else { return }
    check("segment", buffer.segment, atLeast: largest + 1 << 20, "kafka.message_max_bytes and 1 MiB", &context)
    if let size = buffer.size {
      check(
        "size", size, atLeast: 4 * buffer.segment + 1 << 20, "at least four times buffer.segment and 1 MiB", &context)
    }
  }
}
