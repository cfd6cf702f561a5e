# How FFmpeg and librdkafka are configured: with exactly the parts Camgate uses, the same for the board and for the desk.
# A recipe works in an unpacked source tree, takes the options that differ, and installs below $PREFIX.
# shellcheck shell=bash

# Hardened; one section a function so that the linker can drop what nobody calls; lines in the symbols. Backtraces walk
# frame pointers, and nothing is thrown through C: no unwind tables.
C_FLAGS="-O2 -g1 -fPIC -ffunction-sections -fdata-sections -fstack-protector-strong -D_FORTIFY_SOURCE=2"
C_FLAGS+=" -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-unwind-tables"

ffmpeg_parts() {
  # The libraries that CFFmpeg names; the others (filters, devices, audio resampling) stay out.
  echo --disable-everything --disable-autodetect --disable-programs --disable-doc --disable-avdevice --disable-avfilter
  echo --disable-swresample --disable-postproc --disable-iconv
  echo --enable-avcodec --enable-avformat --enable-swscale --enable-network --enable-pthreads --enable-pic
  # rtsp over tcp and udp with rtp; tls for rtsps, by OpenSSL 3, whose licence asks for LGPL 3; file for file: cameras.
  echo --enable-protocol=tcp,udp,rtp,tls,file --enable-openssl --enable-version3
  # Cameras, and the containers that a file: camera can be; Matroska compresses its headers with zlib.
  echo --enable-demuxer=rtsp,sdp,rtp,mov,matroska,mpegts,h264,hevc,mjpeg --enable-zlib
  # Access units of the three codecs: found (parsers), brought to Annex B (bsf), made into pictures by readers.
  echo --enable-parser=h264,hevc,mjpeg --enable-bsf=h264_mp4toannexb,hevc_mp4toannexb,extract_extradata
  echo --enable-decoder=h264,hevc,mjpeg
  # Pictures of test: cameras.
  echo --enable-encoder=mjpeg
}

# recipe_ffmpeg OPTIONS OF configure
recipe_ffmpeg() {
  local patch
  for patch in "$CROSS"/patches/ffmpeg-*.patch; do
    patch --silent --strip=1 <"$patch" || die 65 "FFmpeg: ${patch##*/} does not apply any more"
  done
  # Camgate asks the version whether the patches are in (Sources/Capture/CaptureError.swift).
  # shellcheck disable=SC2046  # options are words
  ./configure --prefix="$PREFIX" --extra-version=camgate $(ffmpeg_parts) --disable-debug --extra-cflags="$C_FLAGS" \
    --disable-stripping "$@" >configure.log || { tail -n 20 ffbuild/config.log && die 70 "FFmpeg: configure failed"; }
  nice make -j "$JOBS" >make.log 2>&1 || { tail -n 20 make.log && die 70 "FFmpeg: make failed"; }
  make install DESTDIR="$STAGE" >install.log
  notices ffmpeg LICENSE.md COPYING.LGPLv3
}

# recipe_librdkafka OPTIONS OF cmake
recipe_librdkafka() {
  # TLS and SASL (PLAIN, SCRAM, OAUTHBEARER) by OpenSSL alone: WITH_SASL would be Cyrus. The codecs a consumer may meet.
  # No plugins and no libcurl: a static program loads nothing. Its copy of xxHash must not clash with the real one.
  cmake -G Ninja -B build -S . -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS="$C_FLAGS -DXXH_NAMESPACE=rdkafka_" \
    -DCMAKE_CXX_FLAGS="$C_FLAGS" -DCMAKE_INSTALL_PREFIX="$PREFIX" \
    -DRDKAFKA_BUILD_EXAMPLES=OFF -DRDKAFKA_BUILD_TESTS=OFF \
    -DWITH_SSL=ON -DWITH_SASL=OFF -DWITH_SASL_SCRAM=ON -DWITH_SASL_OAUTHBEARER=ON \
    -DWITH_ZLIB=ON -DWITH_ZSTD=ON -DENABLE_LZ4_EXT=ON -DWITH_CURL=OFF -DWITH_PLUGINS=OFF \
    -DWITH_LIBDL=OFF "$@" >cmake.log || { tail -n 20 cmake.log && die 70 "librdkafka: cmake failed"; }
  nice ninja -C build -j "$JOBS" rdkafka >ninja.log || { tail -n 20 ninja.log && die 70 "librdkafka: ninja failed"; }
  mkdir -p "$STAGE$PREFIX/include/librdkafka" "$STAGE$LIBRARY_DIRECTORY"
  cp src/rdkafka.h src/rdkafka_mock.h "$STAGE$PREFIX/include/librdkafka/"
  cp -P build/src/librdkafka.* "$STAGE$LIBRARY_DIRECTORY/"
  notices librdkafka LICENSES.txt
}

# notices NAME FILE...: what the licence asks to be handed on.
notices() {
  mkdir -p "$STAGE$PREFIX/share/doc/$1"
  cat "${@:2}" >"$STAGE$PREFIX/share/doc/$1/copyright"
}
