import Settings

// libFuzzer's entry: any text as a settings file. It is parsed and, with its errors, printed; nothing may crash.

/// Never anything but 0 (libFuzzer: "reserved for future use").
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSettings(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let file = SettingsFile(
    name: "fuzz.yaml", bytes: Array(UnsafeBufferPointer(start: bytes, count: count)), directory: "",
    environment: ["HOSTNAME": "dock-7"])
  _ = file.report
  _ = file.configuration?.rendered
  return 0
}
