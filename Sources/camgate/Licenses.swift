// What is inside the static binary, and under which licence. The table is the only place that knows; a test compares its
// archives with those that the linker took (Toolchain/cross/test).

/// `camgate version --licenses`
enum Licenses {
  /// Name, licence (SPDX), what for, and the archives it comes from, between tabs.
  private static let table = """
    Camgate\tApache-2.0\tthis program\tlibFoundationEssentials.a
    swift-argument-parser\tApache-2.0 WITH Swift-exception\tcommands and options\t-
    Swift\tApache-2.0 WITH Swift-exception\tlanguage runtime and libraries\tlibswift* libdispatch.a libBlocksRuntime.a
    FFmpeg\tLGPL-3.0-or-later\tcameras, decoding\tlibavcodec.a libavformat.a libavutil.a libswscale.a
    librdkafka\tBSD-2-Clause\tKafka\tlibrdkafka.a
    OpenSSL\tApache-2.0\tencryption\tlibssl.a libcrypto.a
    Zstandard\tBSD-3-Clause\tcompression\tlibzstd.a
    LZ4\tBSD-2-Clause\tcompression\tliblz4.a
    zlib\tZlib\tcompression\tlibz.a
    expat\tMIT\tdiscovery of cameras\tlibexpat.a
    libjpeg-turbo\tIJG AND BSD-3-Clause AND Zlib\tpictures\tlibturbojpeg.a
    libv4l\tLGPL-2.1-or-later\tformats of single cameras\tlibv4lconvert.a
    libyaml\tMIT\tsettings\tlibyaml.a
    xxHash\tBSD-2-Clause\tchecksums\tlibxxhash.a
    GNU C Library\tLGPL-2.1-or-later\toperating system\tlibc.a libc_nonshared.a libm-* libm.a libmvec.a libpthread.a libdl.a
    GNU libstdc++ and libgcc\tGPL-3.0-or-later WITH GCC-exception-3.1\tC++ runtime\tlibstdc++.a libgcc.a libgcc_eh.a
    """

  /// One line a library: name, licence, what for, archives.
  static var lines: [String] {
    table.split(separator: "\n").map { row in
      let cells = row.split(separator: "\t").map(String.init)
      return cells.dropLast().enumerated().map { pad($1, to: [26, 44, 32][$0]) }.joined() + cells[cells.count - 1]
    }
  }

  private static func pad(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }
}
