#pragma once
#include <libavcodec/avcodec.h>
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
