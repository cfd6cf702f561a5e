#pragma once
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

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
