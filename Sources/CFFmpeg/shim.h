#pragma once
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/md5.h>
#include <libavutil/opt.h>
#include <libavutil/sha.h>
#include <libswscale/swscale.h>
#include <string.h>

/* Function-like macros and casts do not cross into Swift. */
static inline int camgate_averror(int posix) { return AVERROR(posix); }
static const int camgate_averror_eof = AVERROR_EOF;
static const int camgate_averror_exit = AVERROR_EXIT;
static const int64_t camgate_nopts = AV_NOPTS_VALUE;

/* What an RTSP server answered (libavutil/error.h, FFERRTAG). */
static const int camgate_averror_bad_request = AVERROR_HTTP_BAD_REQUEST;
static const int camgate_averror_unauthorized = AVERROR_HTTP_UNAUTHORIZED;
static const int camgate_averror_forbidden = AVERROR_HTTP_FORBIDDEN;
static const int camgate_averror_not_found = AVERROR_HTTP_NOT_FOUND;
static const int camgate_averror_other_4xx = AVERROR_HTTP_OTHER_4XX;
static const int camgate_averror_server_error = AVERROR_HTTP_SERVER_ERROR;
static const int camgate_averror_invalid_data = AVERROR_INVALIDDATA;
static const int camgate_averror_protocol_not_found = AVERROR_PROTOCOL_NOT_FOUND;
static const int camgate_averror_option_not_found = AVERROR_OPTION_NOT_FOUND;

/* va_list is a struct on arm64, and a Swift closure cannot take one there: FFmpeg's lines are formatted here. They reach
 * the handler on the thread that spoke, without their line ends; of those below a warning only the header lines of an
 * answer that refuses (libavformat/rtsp.c, ff_rtsp_send_cmd_with_content). */
typedef void (*camgate_log_handler)(int level, const char *line);
static inline camgate_log_handler *camgate_the_log_handler(void) {
  static camgate_log_handler handler;
  return &handler;
}
static inline void camgate_log(void *context, int level, const char *format, va_list arguments) {
  char line[1024];
  int prints_prefix = 0;
  /* Not av_log_get_level(): whoever silences FFmpeg's own output must not make cameras deaf. */
  if (level > AV_LOG_WARNING && (level != AV_LOG_DEBUG || strcmp(format, "%s\n") != 0)) return;
  av_log_format_line2(context, level, format, arguments, line, sizeof line, &prints_prefix);
  for (size_t end = strlen(line); end > 0 && (line[end - 1] == '\n' || line[end - 1] == '\r'); end--) line[end - 1] = 0;
  (*camgate_the_log_handler())(level, line);
}
static inline void camgate_set_log_handler(camgate_log_handler handler) {
  *camgate_the_log_handler() = handler;
  av_log_set_callback(camgate_log);
}
