// libFuzzer's entry: what cameras send, as far as Capture parses it by itself (CaptureFuzzing.swift).

/// Never anything but 0 (libFuzzer: "reserved for future use").
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  fuzzCapture(UnsafeRawBufferPointer(start: bytes, count: count))
  return 0
}
