import Testing

@testable import Appliance

@Suite struct ImageDiskTests {
  private static let text = """
    disk f0e0d0c0-b0a0-9080-7060-504030201000
    config ebd0a0a2-b9e5-4433-87c0-68b6b72699c7 00112233-4455-6677-8899-aabbccddeeff
    data 0fc63daf-8483-4772-8e79-3d69d8477de4 10112233-4455-6677-8899-aabbccddeeff
    """

  /// A disk whose second partition is `data`, with one identifier changed.
  private func table(disk: Bool = true, type: Bool = true, part: Bool = true) throws -> PartitionTable {
    let identity = try ImageDisk(Self.text)
    let data = identity.parts[1]
    let other = [UInt8](repeating: 9, count: 16)
    let second = (type ? data.type : other) + (part ? data.identifier : other)
    return try Disk(identifier: disk ? identity.identifier : other, ofPartitions: [[1], second]).table()
  }

  @Test func identifiersAreStoredWithTheirFirstFieldsReversed() {
    let stored = ImageDisk.guid("00112233-4455-6677-8899-aabbccddeeff") ?? []
    let expected: [UInt8] = [
      0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
    ]
    #expect(stored == expected)
    for text in ["", "00112233", "0011223x-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddee"] {
      #expect(ImageDisk.guid(text) == nil, "\(text)")
    }
  }

  @Test func onlyTheImagesOwnDiskIsTaken() throws {
    let identity = try ImageDisk(Self.text)
    let found = try identity.find("data", in: [("mmcblk0", table(disk: false)), ("mmcblk1", table())])
    #expect(found == .init(disk: "mmcblk1", number: 2))
    #expect(throws: ImageDisk.Failure(message: "no disk has the identifier of this image", mayAppear: true)) {
      try identity.find("data", in: [("mmcblk0", table(disk: false))])
    }
  }

  @Test func aPartitionNeedsBothTypeAndIdentifier() throws {
    let identity = try ImageDisk(Self.text)
    let failure = ImageDisk.Failure(message: "sda has no partition 'data' of this image", mayAppear: false)
    #expect(throws: failure) { try identity.find("data", in: [("sda", table(type: false))]) }
    #expect(throws: failure) { try identity.find("data", in: [("sda", table(part: false))]) }
    #expect(throws: ImageDisk.Failure.self) { try identity.find("other", in: [("sda", table())]) }
  }

  @Test func twoDisksWithThisImageAreNone() throws {
    let identity = try ImageDisk(Self.text)
    let message = "mmcblk0 and sda both carry this image; unplug all but one"
    #expect(throws: ImageDisk.Failure(message: message, mayAppear: false)) {
      try identity.find("data", in: [("sda", table()), ("mmcblk0", table())])
    }
  }

  @Test(arguments: ["data x y", "disk", "config ebd0a0a2-b9e5-4433-87c0-68b6b72699c7 1", ""])
  func aListOfIdentifiersHasItsForm(text: String) {
    #expect(throws: ImageDisk.Failure.self) { try ImageDisk(text) }
  }
}
