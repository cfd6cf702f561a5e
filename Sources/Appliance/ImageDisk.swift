import Glibc
import Posix

// Which of a board's disks is the one the image was written to. A board may have others (an eMMC, a USB disk) with
// partitions of the same names; they are neither read nor written.
//
// Invariant: a partition is the image's only when the disk's GUID, the partition's type and the partition's GUID are
// (UEFI specification 2.10, chapter 5.3). Two disks that fit are as good as none: a guess could destroy the other one.

/// The identifiers that the image gave to its disk and to its partitions.
package struct ImageDisk: Sendable, Equatable {
  /// A GUID as it is stored: 16 bytes, the first three fields little-endian.
  package typealias GUID = [UInt8]

  /// One partition of the image.
  package struct Part: Sendable, Equatable {
    package var name: String
    package var type: GUID
    package var identifier: GUID
  }

  /// A partition that was found.
  package struct Match: Sendable, Equatable {
    /// The disk's name below /dev, for example `mmcblk0`.
    package var disk: String
    /// The partition's number, from 1.
    package var number: Int
  }

  /// Why there is no partition to use.
  package struct Failure: Error, Sendable, Equatable {
    package var message: String
    /// Whether waiting for another disk can help.
    package var mayAppear: Bool
  }

  var identifier: GUID
  var parts: [Part]

  /// Reads the text that the image's build writes: `disk GUID`, then `NAME TYPE GUID` for each partition.
  package init(_ text: String) throws(Failure) {
    var disk: GUID?
    parts = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      let guids = words.dropFirst().compactMap(ImageDisk.guid)
      switch (words.first, guids.count, words.count) {
      case ("disk", 1, 2): disk = guids[0]
      case (let name?, 2, 3): parts.append(Part(name: name, type: guids[0], identifier: guids[1]))
      default: throw Failure(message: "not a line of identifiers: '\(line)'", mayAppear: false)
      }
    }
    guard let disk else { throw Failure(message: "the list of identifiers has no line 'disk GUID'", mayAppear: false) }
    identifier = disk
  }

  /// The partition `name` among these disks: (name of the disk, its table).
  package func find(_ name: String, in disks: [(name: String, table: PartitionTable)]) throws(Failure) -> Match {
    guard let part = parts.first(where: { $0.name == name }) else {
      throw Failure(message: "the image has no partition '\(name)'", mayAppear: false)
    }
    let ours = disks.filter { $0.table.diskIdentifier == identifier }
    guard let disk = ours.first else {
      throw Failure(message: "no disk has the identifier of this image", mayAppear: true)
    }
    guard ours.count == 1 else {
      let names = ours.map(\.name).sorted().joined(separator: " and ")
      throw Failure(message: "\(names) both carry this image; unplug all but one", mayAppear: false)
    }
    guard let number = disk.table.number(type: part.type, identifier: part.identifier) else {
      throw Failure(message: "\(disk.name) has no partition '\(name)' of this image", mayAppear: false)
    }
    return Match(disk: disk.name, number: number)
  }

  /// The stored bytes of `8c6cd4bc-6a3c-5f7b-9d41-3f1d5b0f1c4e`, nil when it is not of that form.
  static func guid(_ text: String) -> GUID? {
    let fields = text.split(separator: "-", omittingEmptySubsequences: false)
    guard fields.map(\.count) == [8, 4, 4, 4, 12] else { return nil }
    let bytes = fields.map { field in
      stride(from: 0, to: field.count, by: 2).compactMap { UInt8(field.dropFirst($0).prefix(2), radix: 16) }
    }
    let stored = bytes.prefix(3).flatMap { $0.reversed() } + bytes.suffix(2).flatMap { $0 }
    return stored.count == 16 ? stored : nil
  }
}

// What is plugged in.
extension ImageDisk {
  /// Looks for the partition `name` on the disks of this machine until it is there, for up to `patience`.
  package func find(_ name: String, patience: Duration) throws(Failure) -> Match {
    let deadline = MonotonicTime.now() + patience
    while true {
      do throws(Failure) { return try find(name, in: ImageDisk.disks()) } catch {
        guard error.mayAppear, MonotonicTime.now() < deadline else { throw error }
      }
      usleep(200_000)
    }
  }

  /// The disks of this machine that have a partition table. One that cannot be read is left out.
  private static func disks() -> [(name: String, table: PartitionTable)] {
    guard let directory = opendir("/sys/block") else { return [] }
    defer { closedir(directory) }
    var found: [(name: String, table: PartitionTable)] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard !name.hasPrefix("."), let table = try? BlockDevice("/dev/\(name)", O_RDONLY).table() else { continue }
      found.append((name, table))
    }
    return found
  }
}
