import CFFmpeg
import Testing

/// Compiled with the headers of another version, the product would write beside FFmpeg's structures.
@Suite struct LibraryTests {
  @Test func headersAreThoseOfTheLibraries() {
    #expect(avcodec_version() == version(LIBAVCODEC_VERSION_MAJOR, LIBAVCODEC_VERSION_MINOR, LIBAVCODEC_VERSION_MICRO))
    #expect(
      avformat_version() == version(LIBAVFORMAT_VERSION_MAJOR, LIBAVFORMAT_VERSION_MINOR, LIBAVFORMAT_VERSION_MICRO))
    #expect(avutil_version() == version(LIBAVUTIL_VERSION_MAJOR, LIBAVUTIL_VERSION_MINOR, LIBAVUTIL_VERSION_MICRO))
    #expect(
      swscale_version() == version(LIBSWSCALE_VERSION_MAJOR, LIBSWSCALE_VERSION_MINOR, LIBSWSCALE_VERSION_MICRO))
  }

  /// AV_VERSION_INT of libavutil/version.h.
  private func version(_ major: CInt, _ minor: CInt, _ micro: CInt) -> CUnsignedInt {
    CUnsignedInt(major << 16 | minor << 8 | micro)
  }
}
