import Frames
import Posix
import Settings

// A report as text and as JSON. Neither has a place for a password.

extension ProbeReport {
  /// For people: findings, hints, and what to write into the settings.
  package var lines: [String] {
    var rows: [(String, String)] = [("camera", place)]
    if let login { rows.append(("login", login)) }
    if let transport { rows.append(("transport", transport)) }
    if let learnt { rows.append(("learnt", learnt.summary)) }
    if meter.frameCount > 0 { rows += measurements }
    let width = (rows.map(\.0.count).max() ?? 0) + 2
    var lines = rows.map { $0.0 + String(repeating: " ", count: width - $0.0.count) + $0.1 }
    lines.append("")
    if let failure {
      let when = meter.frameCount > 0 ? "after \(number(meter.seconds)) s of pictures: " : ""
      lines.append("does not work: \(when)\(failure.message)")
    } else if !works {
      lines.append("does not work: no frame came")
    } else {
      lines.append(hints.isEmpty ? "works" : "works; better would be:")
    }
    lines += hints.map { "- \($0)" }
    if works { lines += ["", "# for the settings file"] + description.settingsExample }
    return lines
  }

  private var measurements: [(String, String)] {
    let (width, height) = meter.size
    var rows = [
      ("picture", "\(meter.codec?.rawValue ?? "?") \(width)x\(height)\(meter.hasReordering ? ", with B-frames" : "")")
    ]
    if meter.sizeCount > 1 { rows[0].1 += " (the size changed)" }
    rows.append(("measured", "\(meter.frameCount) frames in \(number(meter.seconds)) s"))
    if let firstFrameAfter { rows.append(("first frame", "after \(number(firstFrameAfter.inSeconds)) s")) }
    if let fps = meter.fps { rows.append(("frames", "\(number(fps)) a second")) }
    if let bitrate = meter.bitrate {
      rows.append(
        ("bitrate", "\(number(bitrate / 1e6)) Mbit/s, largest frame \((meter.largestFrame + 1_023) >> 10) KiB"))
    }
    if meter.codec == .mjpeg {
      rows.append(("keyframes", "every picture"))
    } else if let interval = meter.keyframeInterval {
      rows.append(("keyframes", "every \(interval.frames) frames (\(number(interval.seconds)) s)"))
    } else {
      rows.append(("keyframes", "one in \(number(meter.seconds)) s"))
    }
    rows.append(("clock", clock))
    rows.append(("losses", meter.gaps.isEmpty ? "none" : "\(meter.gaps.count)"))
    if !ignoredTracks.isEmpty { rows.append(("not used", ignoredTracks.joined(separator: ", "))) }
    return rows
  }

  private var clock: String {
    switch meter.lastClock {
    case .camera:
      "camera" + (meter.clockOffset.map { " (\(number(Double($0) / 1e6)) ms from ours, with the way here)" } ?? "")
    case .gateway: "gateway (time of arrival, synchronised)"
    case .corrected: "corrected"
    case .unsynced: "unsynced (time of arrival, not synchronised)"
    case nil: "none"
    }
  }

  private var place: String {
    switch description.source {
    case .rtsp(let url, _, _, _): Secrets.maskingPatterns(in: url)
    case .file(let path, _): "file:" + path
    case .test(let width, let height, let fps): "test:\(width)x\(height)@\(fps)"
    case .device(let device): device.path
    }
  }

  private var login: String? {
    guard case .rtsp(_, let login, _, _) = description.source else { return nil }
    return login?.username ?? "none given"
  }

  private var transport: String? {
    guard case .rtsp(_, _, let transport, _) = description.source else { return nil }
    guard let usedTransport, usedTransport != transport else { return transport.rawValue }
    return "\(transport.rawValue) (\(usedTransport.rawValue) in use)"
  }

  /// For machines: one object, keys without a value left out.
  package var json: JSONObject {
    var object = JSONObject()
    object.add("camera", place)
    if case .rtsp(_, let login?, _, _) = description.source { object.add("username", login.username) }
    if let transport { object.add("transport", transport) }
    if let learnt { object.add("learnt", learnt.phrases) }
    object.add("works", works)
    if let failure {
      object.add("error", failure.message)
      object.add("errorCode", "\(failure.code)")
    }
    object.add("frames", meter.frameCount)
    object.add("seconds", meter.seconds)
    if let codec = meter.codec {
      object.add("codec", codec.rawValue)
      object.add("width", meter.size.width)
      object.add("height", meter.size.height)
      object.add("reordering", meter.hasReordering)
      object.add("bytes", meter.byteCount)
      object.add("largestFrame", meter.largestFrame)
      object.add("losses", meter.gaps.count)
    }
    if let firstFrameAfter { object.add("firstFrameAfter", firstFrameAfter.inSeconds) }
    for (key, value) in [("fps", meter.fps), ("mediaFps", meter.mediaFps), ("bitrate", meter.bitrate)] {
      if let value { object.add(key, value) }
    }
    if let interval = meter.keyframeInterval {
      object.add("keyframeFrames", interval.frames)
      object.add("keyframeSeconds", interval.seconds)
    }
    if let clock = meter.lastClock { object.add("clock", clock.rawValue) }
    if let offset = meter.clockOffset { object.add("clockOffset", Double(offset) / 1e9) }
    object.add("ignoredTracks", ignoredTracks)
    object.add("hints", hints)
    return object
  }
}
