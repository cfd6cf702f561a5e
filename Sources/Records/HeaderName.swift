// The headers of a record by their names, as the table in README.md explains them: CloudEvents 1.0 in the Kafka protocol
// binding's binary mode, where attributes have `ce_` in front. No other file knows these names.

/// A header of a record; its value is text in UTF-8.
package typealias RecordHeader = (name: String, value: String)

/// The names of all headers.
package enum HeaderName {
  package static let specVersion = "ce_specversion"
  package static let type = "ce_type"
  package static let source = "ce_source"
  package static let id = "ce_id"
  package static let time = "ce_time"
  package static let contentType = "content-type"
  package static let sequence = "ce_sequence"
  package static let clock = "ce_clock"
  package static let clockStep = "ce_clockstep"
  package static let pts = "ce_ptsns"
  package static let dts = "ce_dtsns"
  package static let keyframe = "ce_keyframe"
  package static let recovery = "ce_recovery"
  package static let leading = "ce_leading"
  package static let width = "ce_width"
  package static let height = "ce_height"
  package static let gap = "ce_gap"
  package static let gapDuration = "ce_gapns"
  package static let gapReason = "ce_gapreason"
  package static let chunk = "ce_chunk"
  package static let chunkID = "ce_chunkid"
  package static let checksum = "ce_checksum"
  package static let backfill = "ce_backfill"
}
